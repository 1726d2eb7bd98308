"""What a sweep has left in its folder, finished or not."""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from t5mix.errors import T5MixError
from t5mix.sweep.methods import Method, MethodVariant
from t5mix.sweep.reported_metrics import mean_score
from t5mix.sweep.spec import Sweep, Tuning, read_sweep
from t5mix.sweep.trial import Failure, TrialKey, TrialResult, read_failure, read_object, read_trial
from t5mix.sweep.tuning import Choice, choose_learning_rate


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
        recorded_choices: how the runner chose learning rates, by method; it says so once the sweep has ended.
    """

    directory: Path
    sweep: Sweep
    plain: Mapping[str, Any]
    trials: tuple[TrialResult, ...]
    failures: tuple[Failure, ...]
    recorded_choices: Mapping[str, Choice]

    @property
    def methods(self) -> dict[str, Method]:
        """The method of each variant, by the variant's label, in the sweep's order."""
        return {label: variant.method for label, variant in self.sweep.variants.items()}

    @cached_property
    def choices(self) -> dict[str, Choice]:
        """How learning rates were chosen, of the methods whose rate is decided; before the sweep ends, by its rule."""
        if self.sweep.tuning is None:
            return {}
        choices: dict[str, Choice] = {}
        for label, variant in self.sweep.variants.items():
            if not variant.tuned:
                continue
            choice = self.recorded_choices.get(label) or self._choose(variant, self.sweep.tuning)
            if choice is not None:
                choices[label] = choice
        return choices

    def _choose(self, variant: MethodVariant, tuning: Tuning) -> Choice | None:
        def trial_score(rate: float, seed: int, task: str | None) -> float | None:
            return self._tuning_scores.get(TrialKey(variant.label, seed, rate, task))

        return choose_learning_rate(variant, tuning, trial_score)[1]

    @cached_property
    def _tuning_scores(self) -> dict[TrialKey, float]:
        """Each trial's mean on the tuning split; minus infinity for those that failed."""
        assert self.sweep.tuning is not None
        split = self.sweep.tuning.split
        scores = {
            trial.key: mean_score(self.sweep, trial.scores[split]) for trial in self.trials if split in trial.scores
        }
        return {**scores, **{failure.key: -math.inf for failure in self.failures if failure.key is not None}}

    @cached_property
    def chosen_rates(self) -> dict[str, float | None]:
        """The learning rate of each method whose rate is decided; None where it is not tuned."""
        rates: dict[str, float | None] = {}
        for label, variant in self.sweep.variants.items():
            if not variant.tuned:
                rates[label] = variant.middle_rate
            elif label in self.choices and self.choices[label].learning_rate is not None:
                rates[label] = self.choices[label].learning_rate
        return rates

    @cached_property
    def expected(self) -> tuple[ReportedTrial, ...]:
        """All trials that the report should have, with the missing ones."""
        return tuple(
            ReportedTrial(label, seed, task)
            for label, variant in self.sweep.variants.items()
            for seed in self.sweep.seeds
            for task in variant.trial_tasks
        )

    @cached_property
    def reported(self) -> dict[ReportedTrial, TrialResult]:
        """The trials of `expected` that are finished.

        Raises:
            T5MixError: two files hold the same trial.
        """
        finished: dict[ReportedTrial, TrialResult] = {}
        expected = set(self.expected)
        for trial in self.trials:
            key = ReportedTrial(trial.method, trial.seed, trial.task)
            if key not in expected or not self._chosen(trial):
                continue
            if key in finished:
                raise T5MixError(f"{finished[key].file} and {trial.file} hold the same trial. Remove one of them.")
            finished[key] = trial
        return {key: finished[key] for key in self.expected if key in finished}

    def _chosen(self, trial: TrialResult | Failure) -> bool:
        if trial.method is None or trial.method not in self.chosen_rates:
            return False
        rate = self.chosen_rates[trial.method]
        if rate is None or trial.learning_rate is None:
            return rate == trial.learning_rate
        return math.isclose(rate, trial.learning_rate)

    def trials_of(self, method: str) -> list[TrialResult]:
        """Returns the reported trials of a method that are finished."""
        return [trial for key, trial in self.reported.items() if key.method == method]

    def failure(self, trial: ReportedTrial) -> Failure | None:
        """Returns why a trial is missing, if it failed."""
        for failure in self.failures:
            key = (failure.method, failure.seed, failure.task)
            if key == (trial.method, trial.seed, trial.task) and self._chosen(failure):
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
    done = {trial.key for trial in trials}
    unmended = tuple(failure for failure in failures if failure.key not in done)
    return Results(directory, sweep, raw["sweep"], trials, unmended, _choices(directory / "choices.json"))


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
