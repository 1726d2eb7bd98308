"""From stores to batches: the training stream, which never ends, and one pass for evaluation."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from t5mix.data.batch import Batch, assemble_batch
from t5mix.data.manifest import TaskEntry
from t5mix.data.packing import BatchCounts, BatchShape, SequencePacker
from t5mix.data.stream import MixedStream, SequentialStream, TaskData
from t5mix.data.token_store import MissingStoreError, TokenStore, open_store


class ShardStores(Protocol):
    """Makes the store of each shard of a random or streamed task (`t5mix.data.prepare_client.ShardCache`)."""

    def request(self, task: str, shard: int) -> None:
        """Starts making a store in the background if it is not there."""
        ...

    def wait(self, task: str, shard: int) -> Path:
        """Returns the store's path once it is there."""
        ...

    def discard(self, task: str, shard: int) -> None:
        """Is told that the run needs a store no more."""
        ...

    def close(self) -> None:
        """Makes no more stores; whoever waits for one gets an error."""
        ...


@dataclasses.dataclass(frozen=True)
class TrainBatch:
    """One step's data.

    Attributes:
        step: the step it is for: the number of updates completed before it.
        arrays: the rows of this host.
        counts: examples and tokens of each task in the global batch.
        state: where the stream stands after this batch; what a checkpoint taken after the step must hold.
    """

    step: int
    arrays: Batch
    counts: BatchCounts
    state: dict[str, Any]


def task_data(entry: TaskEntry, shards: ShardStores | None = None) -> TaskData:
    """Returns the training examples of a task of the manifest.

    Args:
        entry: the task's entry in the manifest; it must have a training split.
        shards: makes the stores of a random or streamed task; other tasks need none.
    """
    if not entry.has_many_shards:
        store = open_store(entry.path("train"))
        return TaskData(entry.name, lambda shard: store)
    if shards is None:
        raise ValueError(f"{entry.name} is read shard by shard and needs something to make its shards")
    opened: dict[int, TokenStore] = {}

    def store_of(shard: int) -> TokenStore:
        if shard not in opened:
            opened[shard] = _open_shard(shards, entry.name, shard)
            shards.request(entry.name, shard + 1)
        return opened[shard]

    def release(shard: int) -> None:
        for old in [earlier for earlier in opened if earlier < shard]:
            del opened[old]
            shards.discard(entry.name, old)

    return TaskData(entry.name, store_of, release)


def _open_shard(shards: ShardStores, task: str, shard: int) -> TokenStore:
    while True:
        with contextlib.suppress(MissingStoreError):  # another run has just discarded it: it must be made again
            return open_store(shards.wait(task, shard))


def training_batches(
    tasks: Sequence[TaskData],
    shape: BatchShape,
    *,
    seed: int,
    proportions: Callable[[int], np.ndarray],
    first_step: int = 0,
    state: dict[str, Any] | None = None,
    rows: slice | None = None,
) -> Iterator[TrainBatch]:
    """Yields the batches of a training run, from `first_step` on, without end.

    Args:
        tasks: the tasks, in the order of task ids.
        shape: the global batch.
        seed: decides every draw and order.
        proportions: gives the proportions in force at a step, in the order of `tasks`; the call may wait.
        first_step: the step of the first batch.
        state: the `TrainBatch.state` to continue after; None to begin.
        rows: this host's rows; None for all.
    """
    stream = MixedStream(tasks, seed)
    packer = SequencePacker(stream, shape)
    if state is not None:
        stream.restore(state["stream"])
        packer.restore(state["waiting"])
    step = first_step
    while True:
        stream.set_proportions(proportions(step))
        layout = packer.next()
        assert layout is not None  # a mixed stream never ends
        arrays = assemble_batch(layout, lambda task, shard: tasks[task].store(shard), rows)
        for task, oldest in zip(tasks, packer.oldest_shards(stream.shards()), strict=True):
            task.release(oldest)
        after = {"stream": stream.state(), "waiting": packer.state()}
        yield TrainBatch(step, arrays, layout.counts(len(tasks)), after)
        step += 1


def evaluation_batches(
    stores: Mapping[int, TokenStore], shape: BatchShape, limit: int | None = None, rows: slice | None = None
) -> Iterator[tuple[Batch, int]]:
    """Yields the examples of some tasks once, packed, and how many each batch holds on all hosts together.

    Args:
        stores: task id -> store.
        shape: the batch; the last one may have empty rows.
        limit: the most examples of each task; None for all.
        rows: this host's rows; None for all.
    """
    packer = SequencePacker(SequentialStream(stores, limit), shape)
    while (layout := packer.next()) is not None:
        yield assemble_batch(layout, lambda task, shard: stores[task], rows), len(layout.rows)
