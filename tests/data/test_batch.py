import itertools
from pathlib import Path

import numpy as np
import pytest

from t5mix.data.batch import Batch, array_shapes, assemble_batch
from t5mix.data.packing import BatchShape, PackedLayout, SequencePacker
from t5mix.data.stream import MixedStream, TaskData
from t5mix.data.token_store import TokenStore


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory, tiny) -> list[list[TokenStore]]:
    """Stores of two tasks, two epochs each, no token twice, some sequences empty."""
    folder, draw = tmp_path_factory.mktemp("batch"), np.random.default_rng(0)
    return [
        [
            tiny.store_of_lengths(
                folder / f"{task}{epoch}",
                [(int(i), int(t)) for i, t in draw.integers(0, 9, (11, 2))],
                first_token=1000 * (2 * task + epoch + 1),
            )
            for epoch in (0, 1)
        ]
        for task in (0, 1)
    ]


def layouts(stores: list[list[TokenStore]], count: int, *, pack: bool = True, prompt: int = 0) -> list[PackedLayout]:
    tasks = [TaskData(str(i), lambda epoch, of=of: of[epoch % 2]) for i, of in enumerate(stores)]
    shape = BatchShape(rows=4, inputs=20 + prompt, targets=14, packing_buffer=6, pack=pack, prompt=prompt)
    packer = SequencePacker(MixedStream(tasks, 0), shape)
    return [layout for _ in range(count) if (layout := packer.next()) is not None]


def slow_batch(layout: PackedLayout, stores: list[list[TokenStore]]) -> Batch:
    shape, names = layout.shape, ("inputs", "targets", "segment_ids", "positions", "task_ids")
    batch = {f"encoder_{name}": np.zeros((shape.rows, shape.inputs), np.int32) for name in names if name != "targets"}
    batch |= {f"decoder_{name}": np.zeros((shape.rows, shape.targets), np.int32) for name in names}
    examples = layout.examples
    for i, (row, segment) in enumerate(zip(layout.rows, layout.segments, strict=True)):
        task = int(examples.tasks[i])
        inputs, targets = stores[task][examples.shards[i] % 2].example(int(examples.indices[i]))
        for side, tokens, offset in (
            ("encoder", [0] * shape.prompt + inputs.tolist(), layout.input_offsets[i]),
            ("decoder", targets, layout.target_offsets[i]),
        ):
            for position, token in enumerate(tokens):
                place = (row, offset + position)
                batch[f"{side}_{'inputs' if side == 'encoder' else 'targets'}"][place] = token
                batch[f"{side}_segment_ids"][place] = segment
                batch[f"{side}_positions"][place] = position
                batch[f"{side}_task_ids"][place] = task
                if side == "decoder":
                    batch["decoder_inputs"][place] = tokens[position - 1] if position else 0
    return batch


def test_the_arrays_are_those_described(stores: list[list[TokenStore]]):
    for layout in layouts(stores, 2, prompt=2):
        batch = assemble_batch(layout, lambda task, shard: stores[task][shard % 2])
        assert {name: array.shape for name, array in batch.items()} == array_shapes(layout.shape)
        assert list(batch) == list(array_shapes(layout.shape))
        assert {array.dtype for array in batch.values()} == {np.dtype(np.int32)}


def assert_same(found: Batch, expected: Batch) -> None:
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == np.int32
        np.testing.assert_array_equal(found[name], array, err_msg=name)


@pytest.mark.parametrize("prompt", [0, 1, 5])
@pytest.mark.parametrize("pack", [True, False])
def test_batches_equal_a_slow_reference(stores: list[list[TokenStore]], pack: bool, prompt: int):
    for layout in layouts(stores, 12, pack=pack, prompt=prompt):
        assert_same(assemble_batch(layout, lambda task, epoch: stores[task][epoch % 2]), slow_batch(layout, stores))


def test_content_comes_after_the_prompt(stores: list[list[TokenStore]]):
    for layout in layouts(stores, 6, prompt=3):
        batch = assemble_batch(layout, lambda task, epoch: stores[task][epoch % 2])
        content, positions = batch["encoder_segment_ids"] > 0, batch["encoder_positions"]
        np.testing.assert_array_equal(batch["encoder_inputs"] > 0, content & (positions >= 3))
        assert (content & (positions < 3)).sum() == 3 * len(layout.examples)


@pytest.mark.parametrize("cuts", [(2,), (1, 3), (1, 2, 3), (0, 4)])
def test_slices_of_rows_make_up_the_whole(stores: list[list[TokenStore]], cuts: tuple[int, ...]):
    for layout in layouts(stores, 6):
        whole = assemble_batch(layout, lambda task, epoch: stores[task][epoch % 2])
        edges = [0, *cuts, layout.shape.rows]
        parts = [
            assemble_batch(layout, lambda task, epoch: stores[task][epoch % 2], slice(first, last))
            for first, last in itertools.pairwise(edges)
        ]
        assert_same({name: np.concatenate([part[name] for part in parts]) for name in whole}, whole)


def test_a_slice_reads_only_what_it_holds(stores: list[list[TokenStore]], tmp_path: Path):
    layout = layouts(stores, 1)[0]
    here = layout.rows == 2
    wanted = {(int(t), int(e)) for t, e in zip(layout.examples.tasks[here], layout.examples.shards[here], strict=True)}
    asked = set()

    def store(task: int, epoch: int) -> TokenStore:
        asked.add((task, epoch))
        return stores[task][epoch % 2]

    assemble_batch(layout, store, slice(2, 3))
    assert asked == wanted
