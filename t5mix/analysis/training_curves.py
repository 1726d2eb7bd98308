"""How the reported runs went: curves, and what was drawn of each task; means over seeds."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from t5mix.analysis.results import Results
from t5mix.sweep.trial import RunCurves, TaskMixture, TrialResult

_Curve = tuple[Sequence[int] | np.ndarray, Sequence[float | None] | np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class Line:
    """A value over the steps at which it is known."""

    steps: np.ndarray
    values: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Progress:
    """The curves of a method.

    Attributes:
        loss: training loss over all tasks; None where each task has a run of its own.
        losses: training loss by task.
        proportions: share asked for by the mixing strategy, by task.
        validation: validation loss by task.
        mean_validation: its mean over the tasks.
    """

    loss: Line | None
    losses: Mapping[str, Line]
    proportions: Mapping[str, Line]
    validation: Mapping[str, Line]
    mean_validation: Line | None

    @property
    def adaptive(self) -> bool:
        """Whether the weights change."""
        return any(line.values.size and np.ptp(line.values) > 1e-6 for line in self.proportions.values())


def method_progress(results: Results) -> dict[str, Progress]:
    """Returns the curves of each method of which a reported trial is finished."""
    return {name: _progress(trials) for name in results.methods if (trials := results.trials_of(name))}


def _progress(trials: Sequence[TrialResult]) -> Progress:
    per_task = any(trial.task is not None for trial in trials)
    losses = _by_task(trials, lambda run: {task: (run.steps, curve.loss) for task, curve in run.tasks.items()})
    proportions = _by_task(
        trials, lambda run: {task: (run.steps, curve.proportion) for task, curve in run.tasks.items()}
    )
    validation = _by_task(trials, lambda run: {task: (run.evaluated, loss) for task, loss in run.validation.items()})
    together = [(line.steps, line.values) for line in validation.values()]
    return Progress(
        loss=None if per_task else _mean([(trial.curves.steps, trial.curves.loss) for trial in trials]),
        losses=losses,
        proportions={} if per_task else proportions,
        validation=validation,
        mean_validation=_mean(together, everywhere=True) if together else None,
    )


def _by_task(trials: Sequence[TrialResult], read: Callable[[RunCurves], Mapping[str, _Curve]]) -> dict[str, Line]:
    """Returns the mean over seeds of each task's curve."""
    by_task: dict[str, list[_Curve]] = {}
    for trial in trials:
        for task, curve in read(trial.curves).items():
            if trial.reports(task):
                by_task.setdefault(task, []).append(curve)
    return {task: _mean(curves) for task, curves in by_task.items()}


def _mean(curves: Sequence[_Curve], everywhere: bool = False) -> Line:
    """Returns the mean of curves at each step, of those that have a value there; or only where all have."""
    by_step: dict[int, list[float]] = {}
    for steps, values in curves:
        for step, value in zip(steps, values, strict=False):
            if value is not None and np.isfinite(value):
                by_step.setdefault(int(step), []).append(float(value))
    steps = sorted(step for step, values in by_step.items() if not everywhere or len(values) == len(curves))
    return Line(np.asarray(steps, int), np.asarray([np.mean(by_step[step]) for step in steps], float))


@dataclasses.dataclass(frozen=True)
class Drawn:
    """What a run drew of a task, mean over seeds: its share of the examples, and the passes over its data."""

    share: float
    epochs: float


def realised_mixtures(results: Results) -> dict[tuple[str, ...], dict[str, Drawn]]:
    """Returns what was drawn of each task, methods that drew alike together.

    Methods with a run for each task are left out.
    """
    grouped: dict[tuple, tuple[list[str], dict[str, Drawn]]] = {}
    for name, method in results.methods.items():
        trials = [trial for trial in results.trials_of(name) if trial.mixture]
        if method.per_task_runs or not trials:
            continue
        drawn = _drawn([trial.mixture for trial in trials])
        alike = tuple(
            (task, round(of_task.share, 3), float(f"{of_task.epochs:.2g}")) for task, of_task in drawn.items()
        )
        grouped.setdefault(alike, ([], drawn))[0].append(name)
    return {tuple(names): drawn for names, drawn in grouped.values()}


def _drawn(mixtures: Sequence[Mapping[str, TaskMixture]]) -> dict[str, Drawn]:
    totals = [sum(task.examples for task in mixture.values()) or 1.0 for mixture in mixtures]
    drawn = {}
    for name in dict.fromkeys(name for mixture in mixtures for name in mixture):
        shares = [m[name].examples / total if name in m else 0.0 for m, total in zip(mixtures, totals, strict=True)]
        epochs = [m[name].epochs if name in m else 0.0 for m in mixtures]
        drawn[name] = Drawn(float(np.mean(shares)), float(np.mean(epochs)))
    return drawn
