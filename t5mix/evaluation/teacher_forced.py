"""Teacher-forced losses of whole splits, on packed batches."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from t5mix.console.progress import Advance
from t5mix.data.batch import Batch
from t5mix.data.packing import BatchShape
from t5mix.data.pipeline import evaluation_batches
from t5mix.data.token_store import TokenStore
from t5mix.tracking.task_totals import TaskTotals


def evaluate_losses(
    sums: Callable[[Batch], Any],
    stores: Mapping[int, TokenStore],
    shape: BatchShape,
    num_tasks: int,
    limit: int | None = None,
    rows: slice | None = None,
    advance: Advance = lambda count: None,
) -> TaskTotals:
    """Sums cross-entropy and right tokens for each task.

    Args:
        sums: gives `StepSums` of a batch, without dropout.
        stores: task id -> the split's store.
        shape: of the batches.
        num_tasks: N; task ids are below it.
        limit: the most examples of each task; None for all.
        rows: this host's rows of a batch; None for all.
        advance: is told of each number of examples that are done.
    """
    totals = TaskTotals.zeros(num_tasks)
    for batch, examples in evaluation_batches(stores, shape, limit, rows):
        step_sums = sums(batch)
        totals.add(
            cross_entropy=np.asarray(step_sums.cross_entropy),
            correct=np.asarray(step_sums.correct),
            loss_tokens=np.asarray(step_sums.loss_tokens),
        )
        advance(examples)
    return totals
