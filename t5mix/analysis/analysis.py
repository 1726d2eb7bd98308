"""All that a report tells, computed once."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from t5mix.analysis.comparisons import MethodComparison, compare_methods, headline_columns, task_columns
from t5mix.analysis.costs import Cost, method_costs
from t5mix.analysis.hypotheses import Judgement, judge
from t5mix.analysis.paper import TABLES, PaperTable
from t5mix.analysis.results import Results
from t5mix.analysis.scores import Study
from t5mix.analysis.statistics import Estimate, resample
from t5mix.analysis.study import read_study
from t5mix.analysis.training_curves import Drawn, Progress, method_progress, realised_mixtures
from t5mix.console import wording
from t5mix.errors import UnknownNameError
from t5mix.sweep.trial import TrialResult


@dataclasses.dataclass(frozen=True, eq=False)
class Analysis:
    """What came of a sweep.

    Attributes:
        results: the sweep and its trials.
        study: the scores of the reported trials.
        metrics: of each task those whose mean it is judged by; none of a task that has no score yet.
        verdicts: on the hypotheses, by name.
        headline: methods by the declared columns, against the reference.
        by_task: methods by tasks, against the reference; the headline where its columns are the tasks.
        transfer: methods by tasks, against the method that trains each task alone; None where there is none.
        overall: each method's mean over all tasks.
        costs: of the methods of which a seed is finished.
        progress: curves, of the methods of which a trial is finished.
        mixtures: what was drawn of each task, by methods.
        paper: the paper's table beside ours, if any.
        notes: what a reader must know before believing a figure.
    """

    results: Results
    study: Study
    metrics: Mapping[str, tuple[str, ...]]
    verdicts: Mapping[str, Judgement]
    headline: MethodComparison
    by_task: MethodComparison
    transfer: MethodComparison | None
    overall: Mapping[str, Estimate]
    costs: Mapping[str, Cost]
    progress: Mapping[str, Progress]
    mixtures: Mapping[tuple[str, ...], Mapping[str, Drawn]]
    paper: PaperTable | None
    notes: tuple[str, ...]

    def paper_value(self, method: str, column: str) -> float | None:
        """Returns the paper's figure that corresponds to a cell of the headline table."""
        declared = self.results.sweep.columns.get(column)
        if self.paper is None or declared is None:
            return None
        return self.paper.value(self.results.methods[method].paper, declared.paper)


def analyze(results: Results) -> Analysis:
    """Computes everything that a report tells.

    Raises:
        T5MixError: nothing that could be reported is finished, or sweep.json names what there is not.
    """
    sweep = results.sweep
    headlines = read_study(results)
    study, methods = headlines.study, results.methods
    _check_tasks(results, study)
    resampled = resample(study)
    reference = sweep.reference or next(iter(methods))
    headline = compare_methods(resampled, reference, headline_columns(sweep, study.tasks))
    by_task = compare_methods(resampled, reference, task_columns(study.tasks)) if sweep.columns else headline
    return Analysis(
        results=results,
        study=study,
        metrics=headlines.metrics,
        verdicts=judge(resampled, sweep.hypotheses),
        headline=headline,
        by_task=by_task,
        transfer=None
        if sweep.single_task_baseline is None
        else compare_methods(resampled, sweep.single_task_baseline, task_columns(study.tasks)),
        overall={method: resampled.mean(method) for method in methods},
        costs=method_costs(results),
        progress=method_progress(results),
        mixtures=realised_mixtures(results),
        paper=None if sweep.paper is None else TABLES[sweep.paper],
        notes=(*_notes(results, headline), *headlines.notes),
    )


def _check_tasks(results: Results, study: Study) -> None:
    """Refuses tasks in hypotheses that are not scored."""
    for name, hypothesis in results.sweep.hypotheses.items():
        for field, tasks in (("tasks", hypothesis.tasks), ("minus_tasks", hypothesis.minus_tasks)):
            for task in tasks:
                if task not in study.tasks:
                    where = f"It is named in hypotheses.{name}.{field} of {results.directory / 'sweep.json'}."
                    raise UnknownNameError("task", task, study.tasks, where)


def _notes(results: Results, headline: MethodComparison) -> list[str]:
    """Returns what limits the figures: missing trials, few seeds, undecided learning rates, undefined metrics."""
    notes = []
    missing = [key for key in results.expected if key not in results.reported]
    if missing:
        failed = sum(results.failure(key) is not None for key in missing)
        notes.append(
            f"{len(missing)} of {wording.quantity(len(results.expected), 'trial')} to be reported "
            f"{'is' if len(missing) == 1 else 'are'} missing, {failed} of them failed: see the list of trials. Means "
            "are over the seeds that there are, differences over those that both methods have."
        )
    open_ = [name for name in results.methods if name not in results.chosen_rates]
    hopeless = [name for name in open_ if name in results.choices]
    if hopeless:
        notes.append(f"All learning rates of {wording.named(hopeless)} failed: not reported.")
    undecided = [name for name in open_ if name not in hopeless]
    if undecided:
        notes.append(f"The learning rate of {wording.named(undecided)} is not chosen yet: not reported.")
    if len(results.sweep.seeds) < 2:
        notes.append("There is one seed: nothing can be said of how much a result owes to luck, and no interval given.")
    if len(results.sweep.seeds) == 2:
        notes.append(
            "There are two seeds: where they matter, 95 % intervals hold the truth in 92 % of studies, and verdicts "
            "corrected for several comparisons are false several times as often as they say. Take 3 seeds or more."
        )
    edges = [name for name, choice in results.choices.items() if choice.at_edge]
    if edges:
        rates = "learning rate lies" if len(edges) == 1 else "learning rates lie"
        notes.append(
            f"{wording.named(edges)}: the best {rates} at the edge of the grid, extended or not; one beyond it "
            "might be better."
        )
    entries = [entry for row in headline.entries.values() for entry in row.values()]
    estimates = [estimate for entry in entries for estimate in (entry.mean, entry.difference)]
    undefined = max((estimate.undefined for estimate in estimates if estimate), default=0)
    if undefined > 0.01:
        notes.append(
            f"A metric was undefined in up to {undefined:.0%} of the draws of the examples; those were left out."
        )
    other = _other_data(results)
    if other:
        notes.append(f"Trials were scored on other data of {wording.listed(other)}: their differences mean little.")
    kinds = {(str(trial.hardware.get("platform")), str(trial.hardware.get("device"))) for trial in _trials(results)}
    if len(kinds) > 1:
        notes.append("Trials ran on different hardware: their times and peak memory cannot be compared.")
    return notes


def _trials(results: Results) -> list[TrialResult]:
    return list(results.reported.values())


def fingerprints(trial: TrialResult) -> dict[tuple[str, str], str]:
    """Returns the fingerprints of a trial's data by task and split, as its manifest has them."""
    tasks = trial.data.get("tasks") or []
    return {
        (str(task["name"]), str(split)): str(entry.get("fingerprint", ""))
        for task in (tasks if isinstance(tasks, list) else [])
        for split, entry in task.get("splits", {}).items()
    }


def _other_data(results: Results) -> list[str]:
    """Returns the tasks whose reported split was not the same for all trials."""
    seen: dict[str, set[str]] = {}
    for trial in _trials(results):
        for (task, split), fingerprint in fingerprints(trial).items():
            if split == results.sweep.split and trial.reports(task):
                seen.setdefault(task, set()).add(fingerprint)
    return [task for task, seen_of_task in seen.items() if len(seen_of_task) > 1]


def seed_scores(analysis: Analysis) -> dict[tuple[str, int], dict[str, float]]:
    """Returns the score of each method and seed on each task; NaN where it is missing."""
    study = analysis.study
    return {
        (method, seed): {task: float(scores.values[row, column]) for task, scores in study.tasks.items()}
        for row, method in enumerate(study.methods)
        for column, seed in enumerate(study.seeds)
    }


def metric_means(analysis: Analysis) -> dict[tuple[str, str], dict[str, np.ndarray]]:
    """Returns every metric of the reported split: by task and metric, each method's values over seeds."""
    values: dict[tuple[str, str], dict[str, list[float]]] = {}
    for key, trial in analysis.results.reported.items():
        for task, score in trial.scores.get(analysis.results.sweep.split, {}).items():
            if not trial.reports(task):
                continue
            for metric, value in score.metrics.items():
                values.setdefault((task, metric), {}).setdefault(key.method, []).append(value)
    return {key: {method: np.asarray(v) for method, v in by_method.items()} for key, by_method in values.items()}
