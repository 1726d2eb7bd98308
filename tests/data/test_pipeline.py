import itertools
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from t5mix.data.lock import DataLock, StoreEntry, TaskEntry, epoch_path
from t5mix.data.pipeline import TrainBatch, evaluation_batches, task_data, training_batches
from t5mix.data.plan import BatchShape
from t5mix.data.store import DamagedStoreError, StoreCounts, open_store

SHAPE = BatchShape(rows=4, inputs=16, targets=8, lookahead=8)


@pytest.fixture(scope="module")
def lock(tmp_path_factory: pytest.TempPathFactory, tiny) -> DataLock:
    return tiny.make_lock(tmp_path_factory.mktemp("pipeline"))


class FakeEpochs:
    """Makes each epoch of a random task when it is asked for; epochs differ in size and content."""

    def __init__(self, folder: Path, tiny: Any, size: Callable[[int], int]) -> None:
        self.folder, self._tiny, self._size = folder, tiny, size
        self.requested: list[int] = []
        self.waited: list[int] = []

    def request_epoch(self, task: str, epoch: int) -> None:
        self.requested.append(epoch)

    def wait(self, task: str, epoch: int) -> Path:
        self.waited.append(epoch)
        path = epoch_path(self.folder, epoch)
        if not path.exists():
            lengths = [(4, 3)] * self._size(epoch)
            self._tiny.store_of_lengths(path, lengths, first_token=10_000 * (epoch + 1))
        return path


RANDOM = TaskEntry("r", True, {"train": StoreEntry("unused", "f", StoreCounts(5, 20, 15))})


def weights(step: int) -> np.ndarray:
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
def test_a_resumed_stream_equals_an_uninterrupted_one(lock: DataLock, cut: int):
    tasks = [task_data(entry) for entry in lock.tasks]
    expected = take(training_batches(tasks, SHAPE, seed=1, weights=weights), 12)
    state = json.loads(json.dumps(expected[cut - 1].state))
    rest = training_batches(tasks, SHAPE, seed=1, weights=weights, first_step=cut, state=state)
    assert_same(take(rest, 12 - cut), expected[cut:])


def test_weights_are_asked_for_once_a_step(lock: DataLock):
    asked = []

    def watching(step: int) -> np.ndarray:
        asked.append(step)
        return np.asarray([1.0, 0.0]) if step < 2 else np.asarray([0.0, 1.0])

    tasks = [task_data(entry) for entry in lock.tasks]
    shape = BatchShape(rows=4, inputs=16, targets=8, lookahead=0)
    found = take(training_batches(tasks, shape, seed=1, weights=watching), 5)
    assert asked == list(range(5))
    assert [batch.counts.examples[1] == 0 for batch in found[:2]] == [True, True]
    assert all(batch.counts.examples[0] == 0 for batch in found[3:])


def test_counts_are_those_of_the_arrays(lock: DataLock):
    tasks = [task_data(entry) for entry in lock.tasks]
    for batch in take(training_batches(tasks, SHAPE, seed=1, weights=weights), 4):
        for task in (0, 1):
            for side, counted in (("encoder", batch.counts.input_tokens), ("decoder", batch.counts.target_tokens)):
                here = (batch.arrays[f"{side}_segment_ids"] > 0) & (batch.arrays[f"{side}_task_ids"] == task)
                assert here.sum() == counted[task]


def test_hosts_see_their_rows_of_the_same_batches(lock: DataLock):
    tasks = [task_data(entry) for entry in lock.tasks]
    whole = take(training_batches(tasks, SHAPE, seed=1, weights=weights), 4)
    parts = [
        take(training_batches(tasks, SHAPE, seed=1, weights=weights, rows=rows), 4)
        for rows in (slice(0, 1), slice(1, 4))
    ]
    for step, batch in enumerate(whole):
        assert parts[0][step].state == parts[1][step].state == batch.state
        for name, array in batch.arrays.items():
            joined = np.concatenate([part[step].arrays[name] for part in parts])
            np.testing.assert_array_equal(joined, array)


def test_evaluation_sees_every_example_once(lock: DataLock):
    stores = {i: open_store(Path(task.splits["validation"].path)) for i, task in enumerate(lock.tasks)}
    seen: Counter[tuple[int, ...]] = Counter()
    for batch in evaluation_batches(stores, SHAPE):
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


@pytest.mark.parametrize(("limit", "numbers"), [(3, [3, 3]), (7, [7, 5]), (100, [9, 5])])
def test_evaluation_is_limited_task_by_task(lock: DataLock, limit: int, numbers: list[int]):
    stores = {i: open_store(Path(task.splits["validation"].path)) for i, task in enumerate(lock.tasks)}
    found = [0, 0]
    for batch in evaluation_batches(stores, SHAPE, limit):
        for task in (0, 1):
            starts = (batch["decoder_positions"] == 0) & (batch["decoder_segment_ids"] > 0)
            found[task] += int((starts & (batch["decoder_task_ids"] == task)).sum())
    assert found == numbers


def test_an_evaluation_of_nothing_has_no_batches():
    assert list(evaluation_batches({}, SHAPE)) == []


def test_a_fixed_task_has_one_store(lock: DataLock):
    data = task_data(lock.tasks[0])
    assert data.store(0) is data.store(5)


def test_a_damaged_store_is_refused_before_any_batch(tmp_path: Path, tiny):
    own = tiny.make_lock(tmp_path)
    file = Path(own.tasks[0].splits["train"].path) / "inputs.tokens"
    file.write_bytes(bytes(file.stat().st_size))
    with pytest.raises(DamagedStoreError, match=r"inputs\.tokens does not match"):
        task_data(own.tasks[0])


def test_a_random_task_moves_on_to_the_next_epochs_store(tmp_path: Path, tiny):
    epochs = FakeEpochs(tmp_path, tiny, size=lambda epoch: 5 + epoch)
    batches = training_batches([task_data(RANDOM, epochs)], SHAPE, seed=0, weights=lambda step: np.ones(1))
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
    epochs = FakeEpochs(tmp_path, tiny, size=lambda epoch: size)
    batches = training_batches([task_data(RANDOM, epochs)], SHAPE, seed=0, weights=lambda step: np.ones(1))
    found = take(batches, 4)
    examples = sum(int(batch.counts.examples[0]) for batch in found)
    tokens = np.concatenate([batch.arrays["encoder_inputs"].ravel() for batch in found])
    assert len(np.unique(tokens[tokens > 0])) == 4 * examples


def test_a_resumed_random_task_asks_for_the_epoch_it_is_in(tmp_path: Path, tiny):
    shape = BatchShape(rows=2, inputs=16, targets=8, lookahead=2)
    first = FakeEpochs(tmp_path, tiny, size=lambda epoch: 200)
    whole = take(training_batches([task_data(RANDOM, first)], shape, seed=0, weights=lambda step: np.ones(1)), 60)
    progress = whole[49].state["stream"]["progress"]["r"]
    assert progress[0] >= 1
    second = FakeEpochs(tmp_path, tiny, size=lambda epoch: 200)
    resumed = training_batches(
        [task_data(RANDOM, second)],
        shape,
        seed=0,
        weights=lambda step: np.ones(1),
        first_step=50,
        state=whole[49].state,
    )
    assert_same(take(resumed, 10), whole[50:])
    assert min(second.waited) == progress[0]


def test_a_random_task_needs_somebody_to_make_its_epochs():
    with pytest.raises(ValueError, match="r draws anew each epoch"):
        task_data(RANDOM)
