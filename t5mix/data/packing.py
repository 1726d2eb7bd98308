"""The layout of a batch: which example goes into which row, at which offset.

A layout needs lengths only. It is the same on every host; each host then assembles its own rows (`t5mix.data.batch`).
"""

import dataclasses
from typing import Any

import numpy as np

from t5mix.configurable import configurable
from t5mix.data.stream import ExampleRefs, ExampleSource

_PEEK_PER_ROW = 16  # examples looked up at a time; only speed depends on it, and how early the next shard is waited for


@configurable
class BatchShape:
    """The shape of a global batch.

    Attributes:
        rows: sequences in the batch, B; each holds one or more examples.
        inputs: encoder positions in a row, S.
        targets: decoder positions in a row, T.
        pack: whether a row may hold several examples.
        packing_buffer: how many examples may wait for a later batch because they fit nowhere in this one. More
            fills the rows better; the order of examples strays further from the order of the stream.
        prompt: encoder positions kept free before each example's inputs, P; S counts them too.
    """

    rows: int
    inputs: int
    targets: int
    pack: bool = True
    packing_buffer: int = 128
    prompt: int = 0

    def __post_init__(self) -> None:
        for name in ("rows", "inputs", "targets"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: a batch needs at least 1")
        if self.packing_buffer < 0:
            raise ValueError(f"packing_buffer is {self.packing_buffer}: it counts examples and cannot be negative")
        if not 0 <= self.prompt < self.inputs:
            raise ValueError(f"prompt is {self.prompt}: it must be at least 0 and leave room in rows of {self.inputs}")


@dataclasses.dataclass(frozen=True)
class PackedLayout:
    """A batch before any token is copied. Arrays have one entry for each example, ordered by row and offset.

    Attributes:
        shape: the global shape.
        examples: which examples, and how long they are.
        rows: the row that each goes into.
        segments: its segment id in that row, from 1.
        input_offsets: encoder position at which its prompt and its inputs start.
        target_offsets: decoder position at which its targets start.
    """

    shape: BatchShape
    examples: ExampleRefs
    rows: np.ndarray
    segments: np.ndarray
    input_offsets: np.ndarray
    target_offsets: np.ndarray

    def counts(self, num_tasks: int) -> "BatchCounts":
        """Returns how many examples and tokens each of `num_tasks` tasks has in this batch."""
        tasks, examples = self.examples.tasks, self.examples
        return BatchCounts(
            examples=np.bincount(tasks, minlength=num_tasks),
            input_tokens=_sum_by_task(tasks, examples.input_lengths, num_tasks),
            target_tokens=_sum_by_task(tasks, examples.target_lengths, num_tasks),
        )


@dataclasses.dataclass(frozen=True)
class BatchCounts:
    """What each task contributes to a batch: int64 arrays with one entry a task."""

    examples: np.ndarray
    input_tokens: np.ndarray
    target_tokens: np.ndarray


class SequencePacker:
    """Packs a stream of examples into batches by first fit.

    Each example goes into the first row with room for both its inputs, prompt included, and its targets. One that fits
    nowhere waits, and is placed before all others in the next batch; a batch is closed when more than `packing_buffer`
    wait. So every example of the stream is used exactly once, and the one that has waited longest always goes in.

    Args:
        source: the stream.
        shape: the batch's shape; no example may be longer than its rows.
    """

    def __init__(self, source: ExampleSource, shape: BatchShape) -> None:
        self._source = source
        self.shape = shape
        self._waiting = source.peek(0)

    def state(self) -> dict[str, Any]:
        """Returns the examples that wait, JSON-able; the stream's own state is kept with the stream."""
        return {field.name: getattr(self._waiting, field.name).tolist() for field in dataclasses.fields(ExampleRefs)}

    def restore(self, state: dict[str, Any]) -> None:
        """Makes the examples wait that waited when `state` was taken."""
        self._waiting = ExampleRefs(
            *(
                np.asarray(state[field.name], np.int32 if field.name == "tasks" else np.int64)
                for field in dataclasses.fields(ExampleRefs)
            )
        )

    def oldest_shards(self, shards: list[int]) -> list[int]:
        """Returns, by task id, the oldest shard that coming batches need: a waiting example's, or that of `shards`."""
        oldest = np.asarray(shards, np.int64)
        np.minimum.at(oldest, self._waiting.tasks, self._waiting.shards)
        return oldest.tolist()

    def next(self) -> PackedLayout | None:
        """Returns the layout of the next batch, or None where the stream has ended and no example waits."""
        rows = _Rows(self.shape)
        chosen, rest = rows.place(self._waiting, len(self._waiting))
        placed, left = [self._waiting[chosen]], [self._waiting[rest]]
        while (allowance := self.shape.packing_buffer + 1 - sum(map(len, left))) > 0:
            ahead = self._source.peek(_PEEK_PER_ROW * self.shape.rows)
            if not len(ahead):
                break
            chosen, rest = rows.place(ahead, allowance)
            self._source.advance(len(chosen) + len(rest))
            placed.append(ahead[chosen])
            left.append(ahead[rest])
        self._waiting = ExampleRefs.concatenate(left)
        examples = ExampleRefs.concatenate(placed)
        return rows.layout(examples) if len(examples) else None


class _Rows:
    """The rows of one batch while it is being filled."""

    def __init__(self, shape: BatchShape) -> None:
        self._shape = shape
        self._input_room = np.full(shape.rows, shape.inputs)
        self._target_room = np.full(shape.rows, shape.targets)
        self._segments = [0] * shape.rows
        self._slots: list[tuple[int, int, int, int]] = []  # row, segment, input offset, target offset

    def place(self, candidates: ExampleRefs, allowance: int) -> tuple[list[int], list[int]]:
        """Places candidates in their order until `allowance` of them have found no room.

        Returns:
            The indices of those that were placed and of those that were not.
        """
        input_room, target_room, shape = self._input_room, self._target_room, self._shape
        chosen: list[int] = []
        rest: list[int] = []
        taken = candidates.input_lengths + shape.prompt
        lengths = zip(taken.tolist(), candidates.target_lengths.tolist(), strict=True)
        for index, (inputs, targets) in enumerate(lengths):
            if len(rest) == allowance:
                break
            fits = (input_room >= inputs) & (target_room >= targets)
            row = int(fits.argmax())
            if not fits[row]:
                rest.append(index)
                continue
            self._segments[row] += 1
            input_offset, target_offset = shape.inputs - input_room[row], shape.targets - target_room[row]
            self._slots.append((row, self._segments[row], input_offset, target_offset))
            chosen.append(index)
            if shape.pack:
                input_room[row] -= inputs
                target_room[row] -= targets
            else:
                input_room[row] = -1  # not even an example without inputs fits any more
        return chosen, rest

    def layout(self, examples: ExampleRefs) -> PackedLayout:
        """Returns the layout of the examples placed so far, given in the order in which they were placed."""
        slots = np.asarray(self._slots, np.int64)
        order = np.lexsort((slots[:, 1], slots[:, 0]))
        rows, segments, input_offsets, target_offsets = slots[order].T
        return PackedLayout(self._shape, examples[order], rows, segments, input_offsets, target_offsets)


def _sum_by_task(tasks: np.ndarray, lengths: np.ndarray, num_tasks: int) -> np.ndarray:
    return np.bincount(tasks, weights=lengths, minlength=num_tasks).astype(np.int64)
