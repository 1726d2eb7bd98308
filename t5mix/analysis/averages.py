"""Averages over tasks: a task's metrics are averaged first, so that each task counts once."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from t5mix.errors import T5MixError, UnknownNameError

Metrics = Mapping[str, Mapping[str, float]]
"""Values by task and metric."""


def average(metrics_by_task: Metrics) -> float:
    """Returns the mean over tasks of the mean of each task's metrics.

    Raises:
        T5MixError: there is no task, a task has no metric, or a value is no number.
    """
    if not metrics_by_task:
        raise T5MixError("An average over no task.")
    for task, metrics in metrics_by_task.items():
        if not metrics or not np.isfinite(list(metrics.values())).all():
            raise T5MixError(f"The metrics of the task {task!r} are {dict(metrics)}; an average needs numbers.")
    return float(np.mean([np.mean(list(metrics.values())) for metrics in metrics_by_task.values()]))


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """A set of tasks with one average.

    Attributes:
        name: as it is printed.
        parts: the benchmark's tasks, each with the values that are averaged inside it, as (our task, metric): MNLI's
            two test sets are two tasks of ours and count as one here.
    """

    name: str
    parts: Mapping[str, tuple[tuple[str, str], ...]]

    def average(self, metrics_by_task: Metrics) -> float:
        """Returns the benchmark's average; tasks and metrics that it does not count may be there too.

        Raises:
            UnknownNameError: a task or a metric that it needs is missing.
            T5MixError: a value is no number.
        """
        return average(
            {
                part: {f"{task} {metric}": _value(metrics_by_task, task, metric) for task, metric in values}
                for part, values in self.parts.items()
            }
        )

    def weights(self) -> dict[str, float]:
        """Returns the weight of each of our tasks in the average, its metrics being averaged; they sum to 1."""
        weights: dict[str, float] = {}
        for values in self.parts.values():
            for task, _ in values:
                weights[task] = weights.get(task, 0.0) + 1 / (len(values) * len(self.parts))
        return weights


def _value(metrics_by_task: Metrics, task: str, metric: str) -> float:
    if task not in metrics_by_task:
        raise UnknownNameError("task", task, metrics_by_task)
    if metric not in metrics_by_task[task]:
        raise UnknownNameError(f"metric of the task {task!r}", metric, metrics_by_task[task])
    return metrics_by_task[task][metric]


def _parts(prefix: str, metrics: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[tuple[str, str], ...]]:
    return {task: tuple((f"{prefix}_{task}", metric) for metric in names) for task, names in metrics.items()}


GLUE = Benchmark(
    "GLUE",
    {
        **_parts(
            "glue",
            {
                "cola": ("matthews",),
                "sst2": ("accuracy",),
                "mrpc": ("f1", "accuracy"),
                "stsb": ("pearson", "spearman"),
                "qqp": ("f1", "accuracy"),
                "qnli": ("accuracy",),
                "rte": ("accuracy",),
            },
        ),
        "mnli": (("glue_mnli_matched", "accuracy"), ("glue_mnli_mismatched", "accuracy")),
    },
)
"""Without WNLI, as T5 reports it."""

SUPER_GLUE = Benchmark(
    "SuperGLUE",
    _parts(
        "super_glue",
        {
            "boolq": ("accuracy",),
            "cb": ("macro_f1", "accuracy"),
            "copa": ("accuracy",),
            "multirc": ("f1", "group_exact_match"),
            "record": ("f1", "em"),
            "rte": ("accuracy",),
            "wic": ("accuracy",),
            "wsc": ("accuracy",),
        },
    ),
)
