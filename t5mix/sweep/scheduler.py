"""What is still to be done of a sweep: which trials are required, and which runs may start for them.

Nothing is kept in memory that the files do not say, but for what failed: what is done is what has left its result, and
what is required next follows from the scores. So a sweep that was killed goes on from its files, to the same results.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from t5mix.sweep.folder import SweepFolder
from t5mix.sweep.methods import MethodVariant
from t5mix.sweep.plan import SweepPlanner, Trial
from t5mix.sweep.plan_summary import parents_of, seeds_to_test
from t5mix.sweep.planned_runs import PlannedRun, with_ancestors
from t5mix.sweep.reported_metrics import mean_score
from t5mix.sweep.trial import read_trial
from t5mix.sweep.tuning import Choice, choose_learning_rate

RequiredTrials = Mapping[Trial, tuple[str, ...]]
"""Trials, with the splits that they are scored on."""


class SweepScheduler:
    """What is still to be done of a sweep.

    Args:
        planner: its plan.
        folder: of its results.

    Attributes:
        failed: ids of runs that failed for good.
    """

    def __init__(self, planner: SweepPlanner, folder: SweepFolder) -> None:
        self._planner, self._sweep, self._folder = planner, planner.sweep, folder
        self._variants = planner.sweep.variants.values()
        self._scores: dict[str, tuple[int, dict[str, float]]] = {}
        self.failed: set[str] = set()

    def required_trials(self) -> RequiredTrials:
        """Returns the trials that are required as far as the scores tell, with the splits that they are scored on.

        In the order in which they should be done: tuning, then seed by seed, so that a report on a sweep that is not
        done yet, or never will be, has all methods with as many seeds.
        """
        required: dict[Trial, tuple[str, ...]] = {}
        rates: list[tuple[MethodVariant, float | None]] = []
        tuning = self._sweep.tuning
        for variant in self._variants:
            if tuning is None or not variant.tuned:
                rates.append((variant, variant.middle_rate))
                continue
            tried, choice = self._search(variant)
            for rate in tried:
                for seed in tuning.seeds:
                    required.update(dict.fromkeys(self._planner.trials(variant, seed, rate), (tuning.split,)))
            if choice is not None and choice.learning_rate is not None:
                rates.append((variant, choice.learning_rate))
        for seed in self._sweep.seeds:
            for variant, rate in rates:
                for trial in self._planner.trials(variant, seed, rate):
                    required[trial] = tuple(dict.fromkeys((*required.get(trial, ()), self._sweep.split)))
        return required

    def ready_runs(self, required: RequiredTrials) -> Iterator[tuple[PlannedRun, Trial | None, tuple[str, ...]]]:
        """Yields what may be done now, in order: each run once, when what it starts from is there."""
        seen: set[str] = set()
        for trial, splits in required.items():
            *ancestors, last = self._chain(trial)
            if self._chain_failed(trial):
                continue
            run = next((run for run in ancestors if not self.trained(run)), None)
            if run is not None:
                job = run, None, ()
            elif set(splits) <= self.scores(last).keys():
                continue
            else:
                job = last, trial, splits
            if job[0].id not in seen:
                seen.add(job[0].id)
                yield job

    def progress(self, required: RequiredTrials) -> tuple[int, int]:
        """Returns how many runs are done, and how many there are in all, as `PlanSummary` counts them.

        What was done before this start counts too. The number in all grows where a grid is extended, and only there.
        """
        parents = parents_of(self._planner.runs.values())
        scored = [(self._planner.runs[trial.run], split) for trial, splits in required.items() for split in splits]
        done = sum(self.trained(self._planner.runs[parent]) for parent in parents)
        done += sum(split in self.scores(run) for run, split in scored)
        return done, len(parents) + len(scored) + self._untested(required)

    def _untested(self, required: RequiredTrials) -> int:
        """Returns how many tests are not among the trials, as the learning rate is not chosen."""
        untested = 0
        for variant in self._variants:
            seeds = seeds_to_test(self._sweep, variant)
            tested = any(
                trial.method == variant.label and trial.seed in seeds and self._sweep.split in splits
                for trial, splits in required.items()
            )
            untested += 0 if tested else len(seeds) * len(variant.trial_tasks)
        return untested

    def choices(self) -> dict[str, Any]:
        """Returns the learning rate that each tuned method got, and why, as plain data."""
        choices = {variant.label: self._search(variant)[1] for variant in self._variants if variant.tuned}
        return {label: choice.to_json() for label, choice in choices.items() if choice is not None}

    def _search(self, variant: MethodVariant) -> tuple[list[float], Choice | None]:
        tuning = self._sweep.tuning
        assert tuning is not None
        split = tuning.split

        def trial_score(rate: float, seed: int, task: str | None) -> float | None:
            trial = self._planner.trial(variant, seed, rate, task)
            if self._chain_failed(trial):
                return -math.inf
            return self.scores(self._planner.runs[trial.run]).get(split)

        return choose_learning_rate(variant, tuning, trial_score)

    def trained(self, run: PlannedRun) -> bool:
        """Says whether a run is trained to its end."""
        return (self._folder.runs / run.folder / "result.json").exists()

    def scores(self, run: PlannedRun) -> dict[str, float]:
        """Returns a trial's mean over its tasks by split, as far as the run is scored."""
        path = self._folder.trial(run.folder)
        if not path.exists():
            return {}
        changed = path.stat().st_mtime_ns
        if self._scores.get(run.id, (None,))[0] != changed:
            scores = {split: mean_score(self._sweep, tasks) for split, tasks in read_trial(path).scores.items()}
            self._scores[run.id] = changed, scores
        return self._scores[run.id][1]

    def _chain(self, trial: Trial) -> list[PlannedRun]:
        return with_ancestors(self._planner.runs, [trial.run])

    def _chain_failed(self, trial: Trial) -> bool:
        return any(run.id in self.failed for run in self._chain(trial))
