"""What a run has logged so far, task by task: read from its metrics file, also while it trains."""

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from t5mix.errors import T5MixError
from t5mix.tracking.metrics_file import read_metrics, values_of
from t5mix.tracking.run_directory import RunDirectory, check_exists


@dataclasses.dataclass(frozen=True)
class TaskHistory:
    """One task over the logged windows (W) and the evaluations (V) of a run; NaN where nothing was logged.

    Attributes:
        loss: training loss in nats a token; [W].
        proportion: share of the examples that the mixing strategy asked for at the window's end; [W].
        share: share of the window's examples; [W].
        examples: how many; [W].
        expected: how many the weights in force gave to expect; [W].
        tokens: inputs and targets together; [W].
        epochs: passes over the task's data since the first step; [W].
        validation: validation loss in nats a token; [V].
    """

    loss: np.ndarray
    proportion: np.ndarray
    share: np.ndarray
    examples: np.ndarray
    expected: np.ndarray
    tokens: np.ndarray
    epochs: np.ndarray
    validation: np.ndarray


@dataclasses.dataclass(frozen=True)
class History:
    """A run so far.

    Attributes:
        steps: at which windows were logged; [W], one at least.
        evaluated: steps of the evaluations; [V].
        tasks: each task, in the order of the run.
    """

    steps: np.ndarray
    evaluated: np.ndarray
    tasks: Mapping[str, TaskHistory]


@dataclasses.dataclass(frozen=True)
class TaskProgress:
    """What became of one task; None where nothing is known.

    Attributes:
        examples: drawn so far.
        expected: how many the weights in force gave to expect.
        tokens: inputs and targets together.
        epochs: passes over its data.
        loss: the last training loss.
        validation: the last validation loss.
    """

    examples: float | None
    expected: float | None
    tokens: float | None
    epochs: float | None
    loss: float | None
    validation: float | None


def read_history(run: Path) -> History:
    """Reads a run's metrics.

    Raises:
        T5MixError: it has logged nothing yet, or there is no such run.
    """
    check_exists(run)
    path = RunDirectory(run).metrics
    lines = read_metrics(path)
    logged, evaluated = lines.train, lines.evaluation
    if not logged:
        raise T5MixError(
            f"{run} has logged nothing yet in {path.name}: a run's first figures come after training.log_every steps."
        )
    names = dict.fromkeys(name for line in logged for name in line["tasks"])
    in_window = np.asarray([sum(task["examples"] for task in line["tasks"].values()) for line in logged], float)
    tasks = {}
    for name in names:
        series = {key: _series(logged, name, key) for key in ("loss", "proportion", "examples", "tokens", "epochs")}
        tasks[name] = TaskHistory(
            share=series["examples"] / np.maximum(in_window, 1),
            expected=_series(logged, name, "expected_examples"),
            validation=_series(evaluated, name, "loss"),
            **series,
        )
    return History(_steps(logged), _steps(evaluated), tasks)


def summarise(task: TaskHistory) -> TaskProgress:
    """Returns a task's totals and last figures."""
    return TaskProgress(
        examples=_total(task.examples),
        expected=_total(task.expected),
        tokens=_total(task.tokens),
        epochs=_last(task.epochs),
        loss=_last(task.loss),
        validation=_last(task.validation),
    )


def _series(lines: Iterable[Mapping[str, Any]], task: str, key: str) -> np.ndarray:
    return np.asarray([np.nan if value is None else value for value in values_of(lines, key, task)], float)


def _steps(lines: Iterable[Mapping[str, Any]]) -> np.ndarray:
    return np.asarray(values_of(lines, "step"), int)


def _total(values: np.ndarray) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite.sum()) if finite.size else None


def _last(values: np.ndarray) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite[-1]) if finite.size else None
