import dataclasses
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from t5mix.data.packing import BatchShape, PackedLayout, SequencePacker
from t5mix.data.stream import ExampleRefs, MixedStream, SequentialStream, TaskData
from t5mix.data.token_store import TokenStore

# Mean and largest (inputs, targets) lengths, in tokens, and weight, of tasks in the manner of GLUE.
GLUE_LIKE = {
    "cola": (14, 45, 3, 8_551),
    "sst2": (16, 66, 3, 67_349),
    "mrpc": (60, 120, 3, 3_668),
    "stsb": (38, 130, 4, 5_749),
    "qqp": (36, 250, 3, 65_536),
    "mnli": (50, 400, 4, 65_536),
    "qnli": (60, 500, 4, 65_536),
    "rte": (80, 300, 3, 2_490),
}


class ListSource:
    """An example source over a list of (input, target) lengths; example i is task i % 2."""

    def __init__(self, lengths: list[tuple[int, int]]) -> None:
        self._lengths, self._next = np.asarray(lengths).reshape(-1, 2), 0

    def peek(self, count: int) -> ExampleRefs:
        indices = np.arange(self._next, min(self._next + count, len(self._lengths)))
        inputs, targets = self._lengths[indices].T
        return ExampleRefs((indices % 2).astype(np.int32), np.zeros_like(indices), indices, inputs, targets)

    def advance(self, count: int) -> None:
        self._next += count


def slow_batches(lengths: list[tuple[int, int]], shape: BatchShape) -> list[list[list[int]]]:
    """First fit as the docstring says it: the examples of each row of each batch, one example at a time."""
    batches, waiting, ahead = [], [], list(range(len(lengths)))
    while waiting or ahead:
        rows: list[list[int]] = [[] for _ in range(shape.rows)]

        def fits(row: list[int], example: int) -> bool:
            if not shape.pack:
                return not row
            return all(
                sum(lengths[i][side] for i in [*row, example]) <= (shape.inputs, shape.targets)[side] for side in (0, 1)
            )

        left: list[int] = []
        queue = waiting + ahead
        for number, example in enumerate(queue):
            if number >= len(waiting) and len(left) > shape.packing_buffer:
                ahead = queue[number:]
                break
            row = next((row for row in rows if fits(row, example)), None)
            (left if row is None else row).append(example)
        else:
            ahead = []
        waiting = left
        batches.append(rows)
    return batches


def all_plans(packer: SequencePacker) -> list[PackedLayout]:
    plans = []
    while (layout := packer.next()) is not None:
        plans.append(layout)
    return plans


def rows_of(layout: PackedLayout) -> list[list[int]]:
    rows: list[list[int]] = [[] for _ in range(layout.shape.rows)]
    for row, index in zip(layout.rows, layout.examples.indices, strict=True):
        rows[row].append(int(index))
    return rows


def random_lengths(count: int, seed: int, inputs: int = 32, targets: int = 12) -> list[tuple[int, int]]:
    draw = np.random.default_rng(seed)
    skewed = draw.beta(1, 3, (count, 2)) * [inputs, targets] + 1
    return [(min(int(i), inputs), min(int(t), targets)) for i, t in skewed]


@pytest.mark.parametrize("packing_buffer", [0, 1, 7, 50])
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("pack", [True, False])
def test_plans_equal_a_slow_reference(packing_buffer: int, seed: int, pack: bool):
    lengths = random_lengths(400, seed)
    shape = BatchShape(rows=4, inputs=32, targets=12, pack=pack, packing_buffer=packing_buffer)
    plans = all_plans(SequencePacker(ListSource(lengths), shape))
    expected = slow_batches(lengths, shape)
    assert [rows_of(layout) for layout in plans] == expected


@pytest.mark.parametrize("packing_buffer", [0, 16])
def test_every_example_is_used_once_and_fits(packing_buffer: int):
    lengths = random_lengths(500, 3)
    shape = BatchShape(rows=3, inputs=32, targets=12, packing_buffer=packing_buffer)
    used: Counter[int] = Counter()
    for layout in all_plans(SequencePacker(ListSource(lengths), shape)):
        used.update(layout.examples.indices.tolist())
        assert layout.rows.tolist() == sorted(layout.rows.tolist())
        for row in range(shape.rows):
            here = layout.rows == row
            assert layout.segments[here].tolist() == list(range(1, here.sum() + 1))
            for offsets, sizes, width in (
                (layout.input_offsets[here], layout.examples.input_lengths[here], shape.inputs),
                (layout.target_offsets[here], layout.examples.target_lengths[here], shape.targets),
            ):
                assert offsets.tolist() == (np.cumsum(sizes) - sizes).tolist()
                assert sizes.sum() <= width
    assert used == Counter(range(500))


def test_without_lookahead_a_batch_closes_at_the_first_that_does_not_fit():
    lengths = [(6, 1), (6, 1), (4, 1), (5, 1), (4, 1), (1, 1), (10, 1)]
    plans = all_plans(SequencePacker(ListSource(lengths), BatchShape(rows=2, inputs=10, targets=10, packing_buffer=0)))
    assert [rows_of(layout) for layout in plans] == [[[0, 2], [1]], [[3, 4, 5], [6]]]


def test_the_one_that_waited_longest_goes_first():
    lengths = [(10, 1), (10, 1), (1, 1), (10, 1)]
    plans = all_plans(SequencePacker(ListSource(lengths), BatchShape(rows=1, inputs=10, targets=10, packing_buffer=2)))
    assert [rows_of(layout) for layout in plans] == [[[0]], [[1]], [[2]], [[3]]]


def test_unpacked_rows_hold_one_example_each():
    lengths = [(1, 1), (0, 1), (3, 2), (2, 2), (1, 1)]
    plans = all_plans(SequencePacker(ListSource(lengths), BatchShape(rows=2, inputs=10, targets=10, pack=False)))
    assert [rows_of(layout) for layout in plans] == [[[0], [1]], [[2], [3]], [[4], []]]


def test_counts_are_by_task():
    lengths = [(3, 1), (4, 2), (5, 3)]
    (layout,) = all_plans(SequencePacker(ListSource(lengths), BatchShape(rows=3, inputs=10, targets=10)))
    counts = layout.counts(3)
    assert counts.examples.tolist() == [2, 1, 0]
    assert counts.input_tokens.tolist() == [8, 4, 0]
    assert counts.target_tokens.tolist() == [4, 2, 0]
    assert counts.target_tokens.dtype == np.int64


@pytest.mark.parametrize("pack", [True, False])
def test_a_prompt_takes_room_as_longer_inputs_do_and_counts_no_tokens(pack: bool):
    lengths = [*random_lengths(300, 5), (0, 3), (32, 12)]
    shape = BatchShape(rows=4, inputs=37, targets=12, pack=pack, packing_buffer=9)
    longer = all_plans(SequencePacker(ListSource([(inputs + 5, targets) for inputs, targets in lengths]), shape))
    prompted = all_plans(SequencePacker(ListSource(lengths), dataclasses.replace(shape, prompt=5)))
    assert len(prompted) == len(longer)
    for found, expected in zip(prompted, longer, strict=True):
        assert rows_of(found) == rows_of(expected)
        assert found.segments.tolist() == expected.segments.tolist()
        assert found.input_offsets.tolist() == expected.input_offsets.tolist()
        assert found.target_offsets.tolist() == expected.target_offsets.tolist()
        counts, of_longer = found.counts(2), expected.counts(2)
        assert counts.input_tokens.tolist() == (of_longer.input_tokens - 5 * of_longer.examples).tolist()
        assert counts.target_tokens.tolist() == of_longer.target_tokens.tolist()


@pytest.fixture(scope="module")
def glue_like(tmp_path_factory: pytest.TempPathFactory, tiny) -> list[TokenStore]:
    folder, draw, stores = tmp_path_factory.mktemp("glue"), np.random.default_rng(0), []
    for name, (mean, largest, target, _) in GLUE_LIKE.items():
        inputs = np.clip(draw.gamma(4, mean / 4, 2000).astype(int), 4, largest)
        stores.append(tiny.store_of_lengths(folder / name, [(int(i), target) for i in inputs]))
    return stores


def mixed(stores: list[TokenStore], seed: int = 0) -> MixedStream:
    stream = MixedStream([TaskData(str(i), lambda e, store=store: store) for i, store in enumerate(stores)], seed)
    rates = np.asarray([values[3] for values in GLUE_LIKE.values()], float)
    stream.set_proportions(rates / rates.sum())
    return stream


def test_rows_are_nearly_full(glue_like: list[TokenStore]):
    packer = SequencePacker(mixed(glue_like), BatchShape(rows=64, inputs=512, targets=128))
    plans = [packer.next() for _ in range(20)]
    tokens = sum(int(layout.examples.input_lengths.sum()) for layout in plans if layout is not None)
    assert tokens / (20 * 64 * 512) >= 0.97


@pytest.mark.parametrize("cut", [0, 1, 4])
def test_a_restored_planner_continues_alike(glue_like: list[TokenStore], cut: int):
    shape = BatchShape(rows=4, inputs=512, targets=16, packing_buffer=20)

    def plans(packer: SequencePacker, count: int) -> list[Any]:
        found = [packer.next() for _ in range(count)]
        return [(rows_of(p), p.examples.tasks.tolist(), p.input_offsets.tolist()) for p in found if p is not None]

    stream = mixed(glue_like)
    packer = SequencePacker(stream, shape)
    plans(packer, cut)
    state = json.loads(json.dumps([stream.state(), packer.state()]))
    expected = plans(packer, 6)
    other = mixed(glue_like)
    resumed = SequencePacker(other, shape)
    other.restore(state[0])
    resumed.restore(state[1])
    assert plans(resumed, 6) == expected


def test_the_end_of_a_stream_is_the_end(tmp_path: Path, tiny):
    store = tiny.store_of_lengths(tmp_path / "s", [(9, 9)] * 5)
    packer = SequencePacker(SequentialStream({0: store}), BatchShape(rows=2, inputs=10, targets=10, packing_buffer=50))
    assert [len(layout.examples) for layout in all_plans(packer)] == [2, 2, 1]
    assert packer.next() is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rows": 0}, "rows is 0"),
        ({"inputs": 0}, "inputs is 0"),
        ({"targets": -1}, "targets is -1"),
        ({"packing_buffer": -1}, "packing_buffer is -1"),
        ({"prompt": -1}, "prompt is -1"),
        ({"inputs": 8, "prompt": 8}, "prompt is 8: .* leave room in rows of 8"),
    ],
)
def test_impossible_shapes_are_refused(settings: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        BatchShape(**(dict[str, Any](rows=1, inputs=1, targets=1) | settings))
