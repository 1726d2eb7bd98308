"""Which metrics of a task are reported: the one rule for tuning, checks and reports. Loads no JAX."""

from collections.abc import Collection

from t5mix.errors import UnknownNameError
from t5mix.metrics.example_scores import TEACHER_FORCED
from t5mix.sweep.spec import Sweep


def reported_metrics(sweep: Sweep, task: str, metrics: Collection[str]) -> tuple[str, ...]:
    """Returns the metrics whose mean is reported for a task: those that the sweep names, or the first of its own.

    None for a task that has none of its own and is not asked for.

    Args:
        sweep: the sweep.
        task: the task.
        metrics: those that it has, in its order.

    Raises:
        UnknownNameError: the sweep names one that it has not.
    """
    if named := sweep.named_metrics(task):
        for name in named:
            if name not in metrics:
                raise UnknownNameError(f"metric of the task {task!r}", name, metrics)
        return named
    first = next((name for name in metrics if name not in TEACHER_FORCED), None)
    if first is None and task in sweep.tasks and "token_accuracy" in metrics:
        first = "token_accuracy"
    return () if first is None else (first,)
