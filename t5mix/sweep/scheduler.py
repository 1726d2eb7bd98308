"""What is still to be done of a sweep: which trials are wanted, and which runs may start for them.

Nothing is kept in memory that the files do not say, but for what failed: what is done is what has left its result, and
what is wanted next follows from the scores. So a sweep that was killed goes on from its files, to the same results.
"""

import functools
import math
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from t5mix.errors import T5MixError
from t5mix.files import read_json
from t5mix.metrics.example_scores import TaskEvaluation
from t5mix.sweep.folder import SweepFolder
from t5mix.sweep.plan import PlannedRun, SweepPlanner, Trial, order
from t5mix.sweep.reported_metrics import reported_metrics
from t5mix.sweep.spec import Sweep
from t5mix.sweep.tuning import Choice, search

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
        self.failed: set[str] = set()

    def required_trials(self) -> RequiredTrials:
        """Returns the trials that are wanted as far as the scores tell, with the splits that they are scored on.

        In the order in which they should be done: tuning, then seed by seed, so that a report on a sweep that is not
        done yet, or never will be, has all methods with as many seeds.
        """
        wanted: dict[Trial, tuple[str, ...]] = {}
        rates: dict[str, float | None] = {}
        tuning = self._sweep.tuning
        for name in self._planner.methods():
            if not self._tuned(name):
                rates[name] = self._planner.learning_rates(name)[0]
                continue
            assert tuning is not None
            tried, choice = self._search(name)
            for each in tried:
                for seed in tuning.seeds:
                    wanted.update(dict.fromkeys(self._planner.trials(name, seed, each), (tuning.split,)))
            if choice is not None and choice.learning_rate is not None:
                rates[name] = choice.learning_rate
        for seed in self._sweep.seeds:
            for name, rate in rates.items():
                for trial in self._planner.trials(name, seed, rate):
                    wanted[trial] = tuple(dict.fromkeys((*wanted.get(trial, ()), self._sweep.split)))
        return wanted

    def ready_runs(self, wanted: RequiredTrials) -> Iterator[tuple[PlannedRun, Trial | None, tuple[str, ...]]]:
        """Yields what may be done now, in order: each run once, when what it starts from is there."""
        seen: set[str] = set()
        for trial, splits in wanted.items():
            chain = order(self._planner.runs, [trial.run])
            if self._chain_failed(trial):
                continue
            run = next((run for run in chain[:-1] if not self.trained(run)), None)
            if run is not None:
                job = run, None, ()
            elif set(splits) <= self.scores(chain[-1]).keys():
                continue
            else:
                job = chain[-1], trial, splits
            if job[0].id not in seen:
                seen.add(job[0].id)
                yield job

    def count(self, wanted: RequiredTrials) -> int:
        """Returns how many runs are yet to be done for these trials."""
        chains = {
            trial.run: order(self._planner.runs, [trial.run])
            for trial, splits in wanted.items()
            if not self._chain_failed(trial) and not set(splits) <= self.scores(self._planner.runs[trial.run]).keys()
        }
        return len({run.id for end, chain in chains.items() for run in chain if run.id == end or not self.trained(run)})

    def pending(self) -> int:
        """Returns how many runs are sure to come, but cannot be named before a learning rate is chosen."""
        if self._sweep.tuning is None:
            return 0
        seeds = set(self._sweep.seeds) - set(self._sweep.tuning.seeds)
        open_methods = (name for name in self._planner.methods() if self._tuned(name) and self._search(name)[1] is None)
        return sum(len(seeds) * len(self._planner.trials(name, 0, 1.0)) if seeds else 0 for name in open_methods)

    def _tuned(self, name: str) -> bool:
        return len(self._planner.learning_rates(name)) > 1

    def _search(self, name: str) -> tuple[list[float], Choice | None]:
        assert self._sweep.tuning is not None
        grid = [rate for rate in self._planner.learning_rates(name) if rate is not None]
        return search(grid, functools.partial(self._tuning_score, name), self._sweep.tuning.extensions)

    def _tuning_score(self, name: str, rate: float) -> float | None:
        """Returns the mean over tasks and tuning seeds; None while it is not known, minus infinity if a run failed."""
        tuning = self._sweep.tuning
        assert tuning is not None
        values: list[float] = []
        for seed in tuning.seeds:
            of_tasks: list[float] = []
            for trial in self._planner.trials(name, seed, rate):
                if self._chain_failed(trial):
                    return -math.inf
                scores = self.scores(self._planner.runs[trial.run]).get(tuning.split)
                if scores is None:
                    return None
                of_tasks += scores.values()
            values.append(statistics.fmean(of_tasks))
        return statistics.fmean(values)

    def choices(self) -> dict[str, Any]:
        """Returns the learning rate that each tuned method got, and why, as plain data."""
        found = {name: self._search(name)[1] for name in self._planner.methods() if self._tuned(name)}
        return {name: choice.to_json() for name, choice in found.items() if choice is not None}

    def trained(self, run: PlannedRun) -> bool:
        """Says whether a run is trained to its end."""
        return (self._folder.runs / run.folder / "result.json").exists()

    def scores(self, run: PlannedRun) -> dict[str, dict[str, float]]:
        """Returns the metric of each task that is reported, by split, as far as the run is scored."""
        path = self._folder.trial(run.folder)
        if not path.exists():
            return {}
        return {
            split: {task: reported(self._sweep, task, found) for task, found in tasks.items()}
            for split, tasks in _scores_in(path, path.stat().st_mtime_ns).items()
        }

    def _chain_failed(self, trial: Trial) -> bool:
        return any(run.id in self.failed for run in order(self._planner.runs, [trial.run]))


@functools.cache
def _scores_in(trial: Path, changed: int) -> dict[str, dict[str, TaskEvaluation]]:
    """Returns the scores of a trial by split and task."""
    document = read_json(trial)
    return {
        split: {task: TaskEvaluation.from_json(found) for task, found in tasks.items()}
        for split, tasks in document["scores"].items()
    }


def reported(sweep: Sweep, task: str, found: TaskEvaluation) -> float:
    """Returns what is reported for a task: its metric, or the mean of several.

    Raises:
        T5MixError: it has none, or not the one that the sweep names.
    """
    names = reported_metrics(sweep, task, found.metrics)
    if not names:
        raise T5MixError(f"The task {task!r} has no metric to be reported; there are {', '.join(found.metrics)}.")
    return statistics.fmean(found.metrics[name] for name in names)
