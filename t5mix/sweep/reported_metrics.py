"""Which metrics of a task are reported: the one rule for tuning, checks and reports. Loads no JAX."""

import statistics
from collections.abc import Collection, Iterable, Mapping

from t5mix.errors import T5MixError, UnknownNameError
from t5mix.metrics.example_scores import LOSSES, TEACHER_FORCED, TaskEvaluation
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
        T5MixError: the sweep names one of which less is better.
    """
    if named := sweep.named_metrics(task):
        for name in named:
            if name not in metrics:
                raise UnknownNameError(f"metric of the task {task!r}", name, metrics)
            if name in LOSSES:
                raise T5MixError(
                    f"The sweep reports {name!r} of the task {task!r}, of which less is better, and compares runs by "
                    "what is more. Name another metric, such as token_accuracy."
                )
        return named
    first = next((name for name in metrics if name not in TEACHER_FORCED), None)
    if first is None and task in sweep.tasks and "token_accuracy" in metrics:
        first = "token_accuracy"
    return () if first is None else (first,)


def has_score(metrics: Iterable[str]) -> bool:
    """Whether a task with these metrics is reported unasked: what comes of likelihoods alone is not."""
    return any(name not in TEACHER_FORCED for name in metrics)


def mean_score(sweep: Sweep, evaluations: Mapping[str, TaskEvaluation]) -> float:
    """Returns the mean over tasks of what is reported for each: its metric, or the mean of several.

    Args:
        sweep: the sweep.
        evaluations: of a trial on one split, by task.

    Raises:
        T5MixError: a task has no metric, or not the one that the sweep names.
    """
    values = []
    for task, evaluation in evaluations.items():
        names = reported_metrics(sweep, task, evaluation.metrics)
        if not names:
            raise T5MixError(
                f"The task {task!r} has no metric to be reported; there are {', '.join(evaluation.metrics)}."
            )
        values.append(statistics.fmean(evaluation.metrics[name] for name in names))
    return statistics.fmean(values)
