"""From locked stores to batches: the training stream, which never ends, and one pass for evaluation."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from t5mix.data.fill import Batch, fill
from t5mix.data.lock import TaskEntry
from t5mix.data.plan import BatchCounts, BatchShape, Planner
from t5mix.data.store import TokenStore, open_store
from t5mix.data.stream import MixedStream, SequentialStream, TaskData

_OPEN_EPOCHS = 3  # stores of a random task kept open: the epoch in use, the one being finished, the next


class EpochStores(Protocol):
    """Makes the store of each epoch of a random task (`t5mix.data.preparation.EpochPreparer`)."""

    def request_epoch(self, task: str, epoch: int) -> None:
        """Starts making a store in the background if it is not there."""
        ...

    def wait(self, task: str, epoch: int) -> Path:
        """Returns the store's path once it is there."""
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


def task_data(entry: TaskEntry, epochs: EpochStores | None = None) -> TaskData:
    """Returns the training examples of a locked task.

    Args:
        entry: the task's entry in the lock; it must have a training split.
        epochs: makes the stores of a random task; other tasks need none.
    """
    if not entry.random:
        store = open_store(Path(entry.splits["train"].path))
        return TaskData(entry.name, lambda epoch: store)
    if epochs is None:
        raise ValueError(f"{entry.name} draws anew each epoch and needs something to make its epochs")
    opened: dict[int, TokenStore] = {}

    def store_of(epoch: int) -> TokenStore:
        if epoch not in opened:
            opened[epoch] = open_store(epochs.wait(entry.name, epoch))
            epochs.request_epoch(entry.name, epoch + 1)
        opened[epoch] = opened.pop(epoch)  # the one used last stands last
        while len(opened) > _OPEN_EPOCHS:
            del opened[next(iter(opened))]
        return opened[epoch]

    return TaskData(entry.name, store_of)


def training_batches(
    tasks: Sequence[TaskData],
    shape: BatchShape,
    *,
    seed: int,
    weights: Callable[[int], np.ndarray],
    first_step: int = 0,
    state: dict[str, Any] | None = None,
    rows: slice | None = None,
) -> Iterator[TrainBatch]:
    """Yields the batches of a training run, from `first_step` on, without end.

    Args:
        tasks: the tasks, in the order of task ids.
        shape: the global batch.
        seed: decides every draw and order.
        weights: gives the proportions in force at a step, in the order of `tasks`; the call may wait.
        first_step: the step of the first batch.
        state: the `TrainBatch.state` to continue after; None to begin.
        rows: this host's rows; None for all.
    """
    stream = MixedStream(tasks, seed)
    planner = Planner(stream, shape)
    if state is not None:
        stream.restore(state["stream"])
        planner.restore(state["waiting"])
    step = first_step
    while True:
        stream.set_weights(weights(step))
        plan = planner.next()
        assert plan is not None  # a mixed stream never ends
        arrays = fill(plan, lambda task, epoch: tasks[task].store(epoch), rows)
        after = {"stream": stream.state(), "waiting": planner.state()}
        yield TrainBatch(step, arrays, plan.counts(len(tasks)), after)
        step += 1


def evaluation_batches(
    stores: Mapping[int, TokenStore], shape: BatchShape, limit: int | None = None
) -> Iterator[Batch]:
    """Yields the examples of some tasks once, packed.

    Args:
        stores: task id -> store.
        shape: the batch; the last one may have empty rows.
        limit: the most examples of each task; None for all.
    """
    planner = Planner(SequentialStream(stores, limit), shape)
    while (plan := planner.next()) is not None:
        yield fill(plan, lambda task, epoch: stores[task])
