import itertools
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from t5mix.data.manifest import DataManifest, StoreEntry, TaskEntry, shard_path
from t5mix.data.packing import BatchShape
from t5mix.data.pipeline import TrainBatch, evaluation_batches, task_data, training_batches
from t5mix.data.stream import source_shard_of
from t5mix.data.token_store import DamagedStoreError, StoreCounts, delete_store, open_store

SHAPE = BatchShape(rows=4, inputs=16, targets=8, packing_buffer=8)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory, tiny) -> DataManifest:
    return tiny.make_manifest(tmp_path_factory.mktemp("pipeline"))


class FakeShards:
    """Makes each shard of a task when it is asked for; shards differ in size and content.

    Args:
        folder: where the shards go.
        size: the number of examples of each store.
        source_shards: of a streamed task; a shard holds what its source shard holds.
    """

    def __init__(self, folder: Path, tiny: Any, size: Callable[[int], int], source_shards: int = 1) -> None:
        self.folder, self._tiny, self._size, self._shards = folder, tiny, size, source_shards
        self.requested: list[int] = []
        self.waited: list[int] = []
        self.most = 0

    def request(self, task: str, shard: int) -> None:
        self.requested.append(shard)
        self._make(task, shard)

    def wait(self, task: str, shard: int) -> Path:
        self.waited.append(shard)
        return self._make(task, shard)

    def discard(self, task: str, shard: int) -> None:
        if self._shards > 1:
            delete_store(self._path(shard))

    def close(self) -> None:
        pass

    def _path(self, shard: int) -> Path:
        return shard_path(self.folder, shard, self._shards)

    def _make(self, task: str, shard: int) -> Path:
        path = self._path(shard)
        if not path.exists():
            content = source_shard_of(0, task, shard, self._shards) if self._shards > 1 else shard
            self._tiny.store_of_lengths(path, [(4, 3)] * self._size(content), first_token=10_000 * (content + 1))
        self.most = max(self.most, len(list(self.folder.iterdir())))
        return path


RANDOM = TaskEntry("r", True, {"train": StoreEntry("unused", "f", StoreCounts(5, 20, 15))})
SHARDS = 5
STREAMED = TaskEntry(
    "s", False, {"train": StoreEntry("unused", "f", StoreCounts(45, 180, 135))}, shards_per_epoch=SHARDS
)


def proportions(step: int) -> np.ndarray:
    return np.asarray([0.7, 0.3]) if step < 3 else np.asarray([0.2, 0.8])


def take(batches: Any, count: int) -> list[TrainBatch]:
    return list(itertools.islice(batches, count))


def assert_same(found: list[TrainBatch], expected: list[TrainBatch]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.step == other.step
        assert one.state == other.state
        assert one.counts.examples.tolist() == other.counts.examples.tolist()
        for name, array in other.arrays.items():
            np.testing.assert_array_equal(one.arrays[name], array, err_msg=name)


@pytest.mark.parametrize("cut", [1, 2, 3, 5, 9])
def test_a_resumed_stream_equals_an_uninterrupted_one(manifest: DataManifest, cut: int):
    tasks = [task_data(entry) for entry in manifest.tasks]
    expected = take(training_batches(tasks, SHAPE, seed=1, proportions=proportions), 12)
    state = json.loads(json.dumps(expected[cut - 1].state))
    rest = training_batches(tasks, SHAPE, seed=1, proportions=proportions, first_step=cut, state=state)
    assert_same(take(rest, 12 - cut), expected[cut:])


def test_weights_are_asked_for_once_a_step(manifest: DataManifest):
    asked = []

    def watching(step: int) -> np.ndarray:
        asked.append(step)
        return np.asarray([1.0, 0.0]) if step < 2 else np.asarray([0.0, 1.0])

    tasks = [task_data(entry) for entry in manifest.tasks]
    shape = BatchShape(rows=4, inputs=16, targets=8, packing_buffer=0)
    found = take(training_batches(tasks, shape, seed=1, proportions=watching), 5)
    assert asked == list(range(5))
    assert [batch.counts.examples[1] == 0 for batch in found[:2]] == [True, True]
    assert all(batch.counts.examples[0] == 0 for batch in found[3:])


def test_counts_are_those_of_the_arrays(manifest: DataManifest):
    tasks = [task_data(entry) for entry in manifest.tasks]
    for batch in take(training_batches(tasks, SHAPE, seed=1, proportions=proportions), 4):
        for task in (0, 1):
            for side, counted in (("encoder", batch.counts.input_tokens), ("decoder", batch.counts.target_tokens)):
                here = (batch.arrays[f"{side}_segment_ids"] > 0) & (batch.arrays[f"{side}_task_ids"] == task)
                assert here.sum() == counted[task]


def test_hosts_see_their_rows_of_the_same_batches(manifest: DataManifest):
    tasks = [task_data(entry) for entry in manifest.tasks]
    whole = take(training_batches(tasks, SHAPE, seed=1, proportions=proportions), 4)
    parts = [
        take(training_batches(tasks, SHAPE, seed=1, proportions=proportions, rows=rows), 4)
        for rows in (slice(0, 1), slice(1, 4))
    ]
    for step, batch in enumerate(whole):
        assert parts[0][step].state == parts[1][step].state == batch.state
        for name, array in batch.arrays.items():
            joined = np.concatenate([part[step].arrays[name] for part in parts])
            np.testing.assert_array_equal(joined, array)


def test_evaluation_sees_every_example_once(manifest: DataManifest):
    stores = {i: open_store(Path(task.splits["validation"].path)) for i, task in enumerate(manifest.tasks)}
    seen: Counter[tuple[int, ...]] = Counter()
    counted = 0
    for batch, count in evaluation_batches(stores, SHAPE):
        counted += count
        for row in range(SHAPE.rows):
            for segment in range(1, batch["encoder_segment_ids"][row].max() + 1):
                tokens = batch["encoder_inputs"][row][batch["encoder_segment_ids"][row] == segment]
                targets = batch["decoder_targets"][row][batch["decoder_segment_ids"][row] == segment]
                task = batch["encoder_task_ids"][row][batch["encoder_segment_ids"][row] == segment][0]
                seen[task, *tokens, -1, *targets] += 1
    expected: Counter[tuple[int, ...]] = Counter()
    for task, store in stores.items():
        for index in range(len(store)):
            inputs, targets = store.example(index)
            expected[task, *inputs, -1, *targets] += 1
    assert seen == expected
    assert counted == expected.total()


@pytest.mark.parametrize(("limit", "numbers"), [(3, [3, 3]), (7, [7, 5]), (100, [9, 5])])
def test_evaluation_is_limited_task_by_task(manifest: DataManifest, limit: int, numbers: list[int]):
    stores = {i: open_store(Path(task.splits["validation"].path)) for i, task in enumerate(manifest.tasks)}
    found = [0, 0]
    for batch, _ in evaluation_batches(stores, SHAPE, limit):
        for task in (0, 1):
            starts = (batch["decoder_positions"] == 0) & (batch["decoder_segment_ids"] > 0)
            found[task] += int((starts & (batch["decoder_task_ids"] == task)).sum())
    assert found == numbers


def test_an_evaluation_of_nothing_has_no_batches():
    assert list(evaluation_batches({}, SHAPE)) == []


def test_a_fixed_task_has_one_store(manifest: DataManifest):
    data = task_data(manifest.tasks[0])
    assert data.store(0) is data.store(5)


def test_a_damaged_store_is_refused_before_any_batch(tmp_path: Path, tiny):
    own = tiny.make_manifest(tmp_path)
    file = Path(own.tasks[0].splits["train"].path) / "inputs.tokens"
    file.write_bytes(bytes(file.stat().st_size))
    with pytest.raises(DamagedStoreError, match=r"inputs\.tokens does not match"):
        task_data(own.tasks[0])


def test_a_random_task_moves_on_to_the_next_epochs_store(tmp_path: Path, tiny):
    epochs = FakeShards(tmp_path, tiny, size=lambda epoch: 5 + epoch)
    batches = training_batches([task_data(RANDOM, epochs)], SHAPE, seed=0, proportions=lambda step: np.ones(1))
    tokens: list[int] = []
    for batch in take(batches, 6):
        tokens += [int(token) for token in np.unique(batch.arrays["encoder_inputs"]) if token]
    for epoch in range(3):
        first, size = 10_000 * (epoch + 1), 5 + epoch
        expected = {first + 7 * example + k for example in range(size) for k in range(4)}
        assert {t for t in tokens if first <= t < first + 10_000} == expected
    assert len(tokens) == len(set(tokens))
    assert set(epochs.requested) >= {1, 2, 3}


@pytest.mark.parametrize("size", [1, 2, 3])
def test_epochs_far_smaller_than_a_batch_work(tmp_path: Path, tiny, size: int):
    epochs = FakeShards(tmp_path, tiny, size=lambda epoch: size)
    batches = training_batches([task_data(RANDOM, epochs)], SHAPE, seed=0, proportions=lambda step: np.ones(1))
    found = take(batches, 4)
    examples = sum(int(batch.counts.examples[0]) for batch in found)
    tokens = np.concatenate([batch.arrays["encoder_inputs"].ravel() for batch in found])
    assert len(np.unique(tokens[tokens > 0])) == 4 * examples


def test_a_resumed_random_task_asks_for_the_epoch_it_is_in(tmp_path: Path, tiny):
    shape = BatchShape(rows=2, inputs=16, targets=8, packing_buffer=2)
    first = FakeShards(tmp_path, tiny, size=lambda epoch: 200)
    whole = take(training_batches([task_data(RANDOM, first)], shape, seed=0, proportions=lambda step: np.ones(1)), 60)
    progress = whole[49].state["stream"]["progress"]["r"]
    assert progress[0] >= 1
    second = FakeShards(tmp_path, tiny, size=lambda epoch: 200)
    resumed = training_batches(
        [task_data(RANDOM, second)],
        shape,
        seed=0,
        proportions=lambda step: np.ones(1),
        first_step=50,
        state=whole[49].state,
    )
    assert_same(take(resumed, 10), whole[50:])
    assert min(second.waited) == progress[0]


def test_a_random_task_needs_somebody_to_make_its_epochs():
    with pytest.raises(ValueError, match="r is read shard by shard"):
        task_data(RANDOM)


def streamed_batches(folder: Path, tiny: Any, count: int, **options: Any) -> tuple[FakeShards, list[TrainBatch]]:
    """Batches of a streamed task whose shards have 7, 8, 9, 10 and 11 examples."""
    shape = BatchShape(rows=2, inputs=8, targets=8, packing_buffer=2)
    shards = FakeShards(folder, tiny, size=lambda source_shard: 7 + source_shard, source_shards=SHARDS)
    folder.mkdir(exist_ok=True)
    tasks = [task_data(STREAMED, shards)]
    return shards, take(training_batches(tasks, shape, seed=0, proportions=lambda step: np.ones(1), **options), count)


def test_a_streamed_task_sees_every_example_once_an_epoch_in_new_orders(tmp_path: Path, tiny):
    _, found = streamed_batches(tmp_path / "s", tiny, 40)
    tokens = [array for batch in found for array in batch.arrays["encoder_inputs"].reshape(-1, 4)[:, 0] if array]
    epochs = [tokens[start : start + 45] for start in (0, 45, 90)]
    everything = {
        10_000 * (source_shard + 1) + 7 * i for source_shard in range(SHARDS) for i in range(7 + source_shard)
    }
    assert [set(epoch) for epoch in epochs] == [everything] * 3
    orders = [list(dict.fromkeys(token // 10_000 - 1 for token in epoch)) for epoch in epochs]
    assert len({tuple(order) for order in orders}) == 3  # shards, then the examples of one shard
    assert len({tuple(token for token in epoch if token < 20_000) for epoch in epochs}) == 3


def test_shards_that_are_used_up_are_given_back(tmp_path: Path, tiny):
    shards, found = streamed_batches(tmp_path / "s", tiny, 40)
    assert found[-1].state["stream"]["progress"]["s"][0] > 3 * SHARDS
    # 32 examples are looked at ahead, which span up to 5 of these tiny shards; and one more is made ahead of them.
    assert shards.most <= 7
    assert len(list((tmp_path / "s").iterdir())) <= 7


@pytest.mark.parametrize("cut", [1, 3, 4, 11, 12, 13, 25])
def test_a_streamed_task_resumes_alike_though_its_shards_are_gone(tmp_path: Path, tiny, cut: int):
    _, whole = streamed_batches(tmp_path / "s", tiny, 30)
    state = json.loads(json.dumps(whole[cut - 1].state))
    shards, rest = streamed_batches(tmp_path / "new", tiny, 30 - cut, first_step=cut, state=state)
    assert_same(rest, whole[cut:])
    oldest = min([state["stream"]["progress"]["s"][0], *state["waiting"]["shards"]])
    assert min(shards.waited) == oldest


def test_a_shard_that_another_run_deletes_meanwhile_is_made_again(tmp_path: Path, tiny, monkeypatch):
    shards = FakeShards(tmp_path, tiny, size=lambda source_shard: 3, source_shards=SHARDS)
    lost = []

    def losing(path: Path) -> Any:
        if not lost:
            lost.append(path)
            delete_store(path)
        return open_store(path)

    monkeypatch.setattr("t5mix.data.pipeline.open_store", losing)
    assert len(task_data(STREAMED, shards).store(2)) == 3
    assert shards.waited == [2, 2]


def test_a_damaged_shard_is_refused(tmp_path: Path, tiny):
    shards = FakeShards(tmp_path, tiny, size=lambda source_shard: 3, source_shards=SHARDS)
    (shards.wait("s", 1) / "inputs.tokens").unlink()
    with pytest.raises(DamagedStoreError, match=r"inputs\.tokens is missing"):
        task_data(STREAMED, shards).store(1)
