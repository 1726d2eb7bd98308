"""What a sweep has left in its folder, finished or not."""

import dataclasses
import math
import statistics
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from t5mix.errors import T5MixError
from t5mix.sweep.reported_metrics import reported_metrics
from t5mix.sweep.spec import Method, Sweep, grid_points, read_sweep
from t5mix.sweep.trial_reader import Failure, TrialResult, read_failure, read_object, read_trial
from t5mix.sweep.tuning import Choice, search


@dataclasses.dataclass(frozen=True)
class ReportedTrial:
    """A trial that is reported: the method's, with its chosen learning rate and one of the sweep's seeds."""

    method: str
    seed: int
    task: str | None


@dataclasses.dataclass(frozen=True)
class Results:
    """A sweep and what has come of it so far.

    Attributes:
        directory: its folder.
        sweep: what was to be compared.
        plain: the sweep as plain data.
        trials: the finished ones, tuning included.
        failures: what failed for good.
        written: how the runner chose learning rates, by method; it says so once the sweep has ended.
    """

    directory: Path
    sweep: Sweep
    plain: Mapping[str, Any]
    trials: tuple[TrialResult, ...]
    failures: tuple[Failure, ...]
    written: Mapping[str, Choice]

    @cached_property
    def methods(self) -> dict[str, Method]:
        """Each method at each point of the grid, by its name, in the sweep's order (as `Planner.methods` has them)."""
        return {label: self.sweep.methods[name] for label, (name, _) in grid_points(self.sweep).items()}

    def grid(self, method: str) -> tuple[float, ...]:
        """Returns the learning rates that a method chooses from."""
        return self.sweep.learning_rates(self.methods[method])

    @cached_property
    def choices(self) -> dict[str, Choice]:
        """How learning rates were chosen, of the methods whose rate is decided; before the sweep ends, by its rule."""
        tuning, found = self.sweep.tuning, {}
        for name in self.methods:
            if tuning is None or len(self.grid(name)) < 2:
                continue
            choice = self.written.get(name)
            if choice is None:
                choice = search(self.grid(name), self._tuning_scores(name).get, tuning.extensions)[1]
            if choice is not None:
                found[name] = choice
        return found

    def _tuning_scores(self, name: str) -> dict[float, float]:
        """Returns the mean score on the tuning split, by learning rate: of those with which all is done, or failed."""
        tuning, method = self.sweep.tuning, self.methods[name]
        assert tuning is not None
        whole = len(tuning.seeds) * (len(self.sweep.tasks) if method.per_task_runs else 1)
        done: dict[float, dict[tuple[int, str | None], TrialResult]] = {}
        for trial in self.trials:
            rate = trial.learning_rate
            if (
                trial.method == name
                and rate is not None
                and trial.seed in tuning.seeds
                and tuning.split in trial.scores
            ):
                done.setdefault(rate, {})[trial.seed, trial.task] = trial
        failed = {each.learning_rate for each in self.failures if each.method == name and each.seed in tuning.seeds}
        return {
            **{
                rate: sum(self._score(trial, tuning.split) for trial in trials.values()) / whole
                for rate, trials in done.items()
                if len(trials) == whole
            },
            **{rate: -math.inf for rate in failed if rate is not None},
        }

    def _score(self, trial: TrialResult, split: str) -> float:
        """Returns a trial's mean over its tasks."""
        values = []
        for task, score in trial.scores[split].items():
            names = reported_metrics(self.sweep, task, score.metrics)
            if names and trial.reports(task):
                values.append(statistics.fmean(score.metrics[name] or 0.0 for name in names))
        return sum(values) / len(values) if values else -math.inf

    @cached_property
    def chosen_rates(self) -> dict[str, float | None]:
        """The learning rate of each method whose rate is decided; None where it is not tuned."""
        decided: dict[str, float | None] = {}
        for name in self.methods:
            grid = self.grid(name)
            if len(grid) < 2:
                decided[name] = grid[0] if grid else None
            elif name in self.choices and self.choices[name].learning_rate is not None:
                decided[name] = self.choices[name].learning_rate
        return decided

    @cached_property
    def wanted(self) -> tuple[ReportedTrial, ...]:
        """All trials that the report should have, with the missing ones."""
        return tuple(
            ReportedTrial(name, seed, task)
            for name, method in self.methods.items()
            for seed in self.sweep.seeds
            for task in (self.sweep.tasks if method.per_task_runs else (None,))
        )

    @cached_property
    def reported(self) -> dict[ReportedTrial, TrialResult]:
        """The trials of `wanted` that are finished.

        Raises:
            T5MixError: two files hold the same trial.
        """
        found: dict[ReportedTrial, TrialResult] = {}
        wanted = set(self.wanted)
        for trial in self.trials:
            key = ReportedTrial(trial.method, trial.seed, trial.task)
            if key not in wanted or not self._chosen(trial):
                continue
            if key in found:
                raise T5MixError(f"{found[key].file} and {trial.file} hold the same trial. Remove one of them.")
            found[key] = trial
        return {key: found[key] for key in self.wanted if key in found}

    def _chosen(self, trial: TrialResult | Failure) -> bool:
        if trial.method is None or trial.method not in self.chosen_rates:
            return False
        rate = self.chosen_rates[trial.method]
        if rate is None or trial.learning_rate is None:
            return rate == trial.learning_rate
        return math.isclose(rate, trial.learning_rate)

    def of(self, method: str) -> list[TrialResult]:
        """Returns the reported trials of a method that are finished."""
        return [trial for key, trial in self.reported.items() if key.method == method]

    def failure(self, wanted: ReportedTrial) -> Failure | None:
        """Returns why a trial is missing, if it failed."""
        for failure in self.failures:
            named = (failure.method, failure.seed, failure.task)
            if named == (wanted.method, wanted.seed, wanted.task) and self._chosen(failure):
                return failure
        return None


def read_results(directory: Path) -> Results:
    """Reads a sweep's folder.

    Raises:
        T5MixError: it is no sweep's folder, no trial has finished yet, or a file is no JSON or lacks something.
    """
    description = directory / "sweep.json"
    if not description.is_file():
        raise T5MixError(
            f"{directory} is no sweep's folder: it holds no sweep.json. Give the folder that `t5mix sweep` wrote to."
        )
    raw = read_object(description)
    if not isinstance(raw.get("sweep"), dict):
        raise T5MixError(f"{description} does not say which sweep it is of: it has no key 'sweep'.")
    sweep = read_sweep(raw["sweep"], str(description))
    trials = tuple(read_trial(path) for path in _files(directory / "trials"))
    failures = tuple(read_failure(path) for path in _files(directory / "failed"))
    if not trials:
        failed = f" {len(failures)} failed: see {directory / 'failed'}." if failures else ""
        raise T5MixError(
            f"No trial of {directory} has finished yet: there is nothing to report.{failed} Run the sweep again; it "
            "continues where it stopped."
        )
    done = {(trial.method, trial.seed, trial.learning_rate, trial.task) for trial in trials}
    still = [each for each in failures if (each.method, each.seed, each.learning_rate, each.task) not in done]
    return Results(directory, sweep, raw["sweep"], trials, tuple(still), _choices(directory / "choices.json"))


def _files(folder: Path) -> Iterator[Path]:
    """Yields the files of a folder, drafts left out."""
    return (path for path in sorted(folder.glob("*.json")) if not path.name.startswith("."))


def _choices(path: Path) -> dict[str, Choice]:
    """Reads how learning rates were chosen."""
    if not path.is_file():
        return {}
    try:
        return {name: Choice.from_json(choice) for name, choice in read_object(path).items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise T5MixError(f"{path} does not say how learning rates were chosen: {error!r}. Remove it.") from error
