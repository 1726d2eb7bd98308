"""From trials to the study that statistics work on: which task is judged by which metric, example by example."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from t5mix.errors import T5MixError, UnknownNameError
from t5mix.evaluation.example_scores import REDUCERS
from t5mix.report.results import Results, Wanted
from t5mix.report.trial import TaskScore, TrialResult, headline_metric
from t5mix.sweep.scores import Study, TaskScores
from t5mix.sweep.spec import Sweep

_DISAGREE = 0.05  # points between a trial's metric and what its examples give


@dataclasses.dataclass(frozen=True, eq=False)
class Headlines:
    """The study of the reported trials.

    Attributes:
        study: of all methods and seeds of the sweep, the missing ones included.
        metrics: the metric of each task.
        notes: what a reader should know of how it came about.
    """

    study: Study
    metrics: Mapping[str, str]
    notes: tuple[str, ...]


def read_study(results: Results) -> Headlines:
    """Gathers the examples' scores of all reported trials.

    Raises:
        T5MixError: no reported trial is finished, trials scored other examples, or a metric is unknown.
    """
    sweep, reported = results.sweep, results.reported
    scored: dict[str, dict[Wanted, TaskScore]] = {task: {} for task in sweep.tasks}
    for key, trial in reported.items():
        for task, score in trial.scores.get(sweep.split, {}).items():
            if trial.reports(task) and (not sweep.tasks or task in scored):
                scored.setdefault(task, {})[key] = score
    metrics = {task: _metric(sweep, task, scores) for task, scores in scored.items()}
    metrics = {task: metric for task, metric in metrics.items() if metric is not None}
    if not metrics or not any(scored.values()):
        raise T5MixError(
            f"No trial of {results.directory} that is to be reported has scores on the split {sweep.split!r} yet; "
            f"finished so far: {len(results.trials)} in all. Run the sweep again; it continues where it stopped."
        )
    notes: list[str] = []
    tasks = {task: _task_scores(results, task, metric, scored[task], notes) for task, metric in metrics.items()}
    return Headlines(Study(tuple(results.methods), sweep.seeds, tasks), metrics, tuple(notes))


def _metric(sweep: Sweep, task: str, scores: Mapping[Wanted, TaskScore]) -> str | None:
    for score in scores.values():
        return headline_metric(sweep, task, score.metrics)
    return sweep.metrics.get(task, "")


def _task_scores(
    results: Results, task: str, metric: str, scores: Mapping[Wanted, TaskScore], notes: list[str]
) -> TaskScores:
    """Returns the scores of one task; a task of which nothing is known yet has one example, which is NaN."""
    places = {method: place for place, method in enumerate(results.methods)}
    seeds = {seed: place for place, seed in enumerate(results.sweep.seeds)}
    values = np.full((len(places), len(seeds)), np.nan)
    rows: dict[tuple[int, int], np.ndarray] = {}
    first: tuple[TrialResult, str, np.ndarray] | None = None
    for key, score in scores.items():
        trial, where = results.reported[key], (places[key.method], seeds[key.seed])
        if metric not in score.metrics:
            raise T5MixError(f"{trial.file} has no {metric!r} of the task {task!r}, which other trials have.")
        value = score.metrics[metric]
        values[where] = np.nan if value is None else value
        if metric not in score.examples:
            continue
        found = score.examples[metric]
        rows[where] = _checked_rows(trial, task, found.rows)
        first = first or (trial, found.kind, rows[where])
        if (found.kind, rows[where].shape) != (first[1], first[2].shape):
            raise T5MixError(
                f"{first[0].file} and {trial.file} scored other examples of the task {task!r}: {first[2].shape} rows "
                f"of the kind {first[1]!r} and {rows[where].shape} of {found.kind!r}. Only scores on the same examples "
                "can be compared; run one of them again."
            )
    if first is None or len(rows) < len(scores):
        if scores:
            notes.append(f"No intervals with {task}: its {metric} is not known example by example.")
        return TaskScores.of_means(values[..., None])
    together = np.full((*values.shape, *first[2].shape), np.nan)
    for where, found in rows.items():
        together[where] = found
    gathered = TaskScores(_reducer(first[1], first[0]), together)
    apart = np.abs(gathered.values - values)
    if np.nanmax(apart, initial=0.0) > _DISAGREE:
        notes.append(
            f"The examples of {task} give another {metric} than its trials say, by up to {np.nanmax(apart):.2f} points."
        )
    return gathered


def _checked_rows(trial: TrialResult, task: str, raw: object) -> np.ndarray:
    try:
        rows = np.asarray(raw, float)
    except (TypeError, ValueError) as error:
        raise T5MixError(
            f"{trial.file}: the examples of the task {task!r} are no table of numbers: {error}."
        ) from error
    if rows.ndim != 2 or not rows.size:
        raise T5MixError(f"{trial.file}: the examples of the task {task!r} have the shape {rows.shape}; wanted: rows.")
    return rows


def _reducer(kind: str, trial: TrialResult) -> Callable[[np.ndarray], np.ndarray]:
    if kind not in REDUCERS:
        raise T5MixError(f"{trial.file}: {UnknownNameError('kind of example scores', kind, REDUCERS)}")
    return REDUCERS[kind]
