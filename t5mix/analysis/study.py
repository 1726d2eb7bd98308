"""From trials to the study that statistics work on: which task is judged by which metric, example by example."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from t5mix.analysis.results import ReportedTrial, Results
from t5mix.analysis.scores import Study, TaskScores
from t5mix.console import units, wording
from t5mix.errors import T5MixError
from t5mix.metrics.example_scores import REDUCERS
from t5mix.sweep.reported_metrics import reported_metrics
from t5mix.sweep.spec import Sweep
from t5mix.sweep.trial import TaskScore, TrialResult

_DISAGREE = 0.05  # points between a trial's metric and what its examples give


@dataclasses.dataclass(frozen=True, eq=False)
class Headlines:
    """The study of the reported trials.

    Attributes:
        study: of all methods and seeds of the sweep, the missing ones included.
        metrics: of each task those whose mean it is judged by; none of a task that has no score yet.
        notes: what a reader should know of how it came about.
    """

    study: Study
    metrics: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]


def read_study(results: Results) -> Headlines:
    """Gathers the examples' scores of all reported trials.

    Raises:
        T5MixError: no reported trial is finished, trials scored other examples, or a metric is unknown.
    """
    sweep, reported = results.sweep, results.reported
    scored: dict[str, dict[ReportedTrial, TaskScore]] = {task: {} for task in sweep.tasks}
    for key, trial in reported.items():
        for task, score in trial.scores.get(sweep.split, {}).items():
            if trial.reports(task) and (not sweep.tasks or task in scored):
                scored.setdefault(task, {})[key] = score
    metrics = {task: _metrics(sweep, task, scores) for task, scores in scored.items()}
    metrics = {task: names for task, names in metrics.items() if names or not scored[task]}
    if not metrics or not any(scored.values()):
        raise T5MixError(
            f"No trial of {results.directory} that is to be reported has scores on the split {sweep.split!r} yet; "
            f"finished so far: {len(results.trials)} in all. Run the sweep again; it continues where it stopped."
        )
    notes: list[str] = []
    tasks = {task: _task_scores(results, task, names, scored[task], notes) for task, names in metrics.items()}
    return Headlines(Study(tuple(results.methods), sweep.seeds, tasks), metrics, tuple(notes))


def _metrics(sweep: Sweep, task: str, scores: Mapping[ReportedTrial, TaskScore]) -> tuple[str, ...]:
    for score in scores.values():
        return reported_metrics(sweep, task, score.metrics)
    return sweep.named_metrics(task)


def _task_scores(
    results: Results, task: str, metrics: tuple[str, ...], scores: Mapping[ReportedTrial, TaskScore], notes: list[str]
) -> TaskScores:
    """Returns the scores of one task; a task of which nothing is known yet has one example, which is NaN."""
    if not scores:
        return TaskScores.of_means(np.full((len(results.methods), len(results.sweep.seeds), 1), np.nan))
    metric_values, parts = zip(*(_metric_scores(results, task, metric, scores) for metric in metrics), strict=True)
    values = np.mean(metric_values, axis=0)
    with_examples = [part for part in parts if part is not None]
    unit_counts = [part.rows.shape[2] for part in with_examples]
    if len(with_examples) < len(metrics):
        lacking = [metric for metric, part in zip(metrics, parts, strict=True) if part is None]
        are = "is" if len(lacking) == 1 else "are"
        notes.append(f"No intervals with {task}: its {wording.listed(lacking)} {are} not known example by example.")
    elif len(set(unit_counts)) > 1:
        counts = wording.listed([units.count(count) for count in unit_counts])
        notes.append(
            f"No intervals with {task}: its {wording.listed(metrics)} are counted over different units: {counts}."
        )
    else:
        gathered = _side_by_side(with_examples)
        apart = np.nanmax(np.abs(gathered.values - values), initial=0.0)
        if apart > _DISAGREE:
            notes.append(
                f"The examples of {task} give another {wording.mean_of(metrics)} than its trials say, by up to "
                f"{apart:.2f} points."
            )
        return gathered
    return TaskScores.of_means(values[..., None])


def _side_by_side(parts: Sequence[TaskScores]) -> TaskScores:
    """Returns the scores of the mean of metrics that have the same examples."""
    ends = np.cumsum([part.rows.shape[-1] for part in parts])[:-1]

    def mean(sums: np.ndarray) -> np.ndarray:
        split_sums = np.split(sums, ends, axis=-1)
        return np.mean([part.metric(part_sums) for part, part_sums in zip(parts, split_sums, strict=True)], axis=0)

    return TaskScores(mean, np.concatenate([part.rows for part in parts], axis=-1))


def _metric_scores(
    results: Results, task: str, metric: str, scores: Mapping[ReportedTrial, TaskScore]
) -> tuple[np.ndarray, TaskScores | None]:
    """Returns a metric as the trials say it, [methods, seeds], and by example; None where a trial lacks that."""
    methods = {method: index for index, method in enumerate(results.methods)}
    seeds = {seed: index for index, seed in enumerate(results.sweep.seeds)}
    values = np.full((len(methods), len(seeds)), np.nan)
    rows: dict[tuple[int, int], np.ndarray] = {}
    first: tuple[TrialResult, str, np.ndarray] | None = None
    for key, score in scores.items():
        trial, where = results.reported[key], (methods[key.method], seeds[key.seed])
        if metric not in score.metrics:
            raise T5MixError(f"{trial.file} has no {metric!r} of the task {task!r}, which other trials have.")
        values[where] = score.metrics[metric]
        if metric not in score.examples:
            continue
        examples = score.examples[metric]
        if not examples.rows.size:
            shape = examples.rows.shape
            raise T5MixError(f"{trial.file}: the examples of the task {task!r} have the shape {shape}; wanted: rows.")
        rows[where] = examples.rows
        first = first or (trial, examples.kind, rows[where])
        if (examples.kind, rows[where].shape) != (first[1], first[2].shape):
            raise T5MixError(
                f"{first[0].file} and {trial.file} scored other examples of the task {task!r}: {first[2].shape} rows "
                f"of the kind {first[1]!r} and {rows[where].shape} of {examples.kind!r}. Only scores on the same "
                "examples can be compared; run one of them again."
            )
    if first is None or len(rows) < len(scores):
        return values, None
    together = np.full((*values.shape, *first[2].shape), np.nan)
    for where, of_trial in rows.items():
        together[where] = of_trial
    return values, TaskScores(REDUCERS[first[1]], together)
