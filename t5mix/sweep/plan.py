"""From a sweep to runs: which there are, which starts from which, and which trial each of them is for."""

import dataclasses
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from t5mix.config.compose import compose_experiment
from t5mix.config.experiment import Experiment
from t5mix.config.reading import read_experiment
from t5mix.errors import T5MixError
from t5mix.files import sha256_of_json
from t5mix.runs.engine import check_policy
from t5mix.runs.start import starting_checkpoint
from t5mix.sweep.spec import Method, Overrides, Sweep, grid_points

_FRESH = "start_from=null"
_OWN_PLACE = "RUN"  # stands for what differs from folder to folder and changes no result


@dataclasses.dataclass(frozen=True)
class PlannedRun:
    """One training run of a sweep. Trials that begin alike share the runs that they begin with.

    Attributes:
        id: the hash of its experiment and of its parent's id; the same id means the same result.
        name: for people, and for its folder.
        config: the configuration that it varies.
        overrides: its settings, without folders.
        parent: the id of the run that it starts from; None for fresh parameters.
        shared: whether all methods begin with it.
        experiment: what it is, but for folders.
    """

    id: str
    name: str
    config: str
    overrides: Overrides
    parent: str | None
    shared: bool
    experiment: Experiment = dataclasses.field(repr=False, compare=False)

    @property
    def steps(self) -> int:
        """Its length."""
        return self.experiment.training.steps

    @property
    def folder(self) -> str:
        """The name of its folder."""
        return f"{self.name}-{self.id[:8]}"


@dataclasses.dataclass(frozen=True)
class Trial:
    """A method with one seed and one learning rate, on all tasks or on one.

    Attributes:
        method: its name, with the grid's values.
        seed: of its own runs.
        learning_rate: None where it is not tuned.
        task: the only task that is reported; None for all.
        run: the id of the run that is reported.
    """

    method: str
    seed: int
    learning_rate: float | None
    task: str | None
    run: str


class SweepPlanner:
    """Turns methods, seeds and learning rates into runs; each is validated as `t5mix train` would.

    Args:
        sweep: the sweep.
        steps: of the reported runs of methods, where the budget decides them; by method.
    """

    def __init__(self, sweep: Sweep, steps: Mapping[str, int] | None = None) -> None:
        self.sweep = sweep
        self.runs: dict[str, PlannedRun] = {}
        self._planned: dict[tuple[Any, ...], str] = {}
        self._steps = steps or {}
        self._checked: list[tuple[Any, ...]] = []

    def methods(self) -> dict[str, tuple[Method, Overrides]]:
        """Returns each method at each point of the grid, by name, with the settings of the point."""
        return {
            label: (self.sweep.methods[name], tuple(f"{key}={_written(value)}" for key, value in point.items()))
            for label, (name, point) in grid_points(self.sweep).items()
        }

    def learning_rates(self, name: str) -> tuple[float | None, ...]:
        """Returns the grid of learning rates of a method; one None where nothing is tuned."""
        method, _ = self.methods()[name]
        return self.sweep.learning_rates(method) or (None,)

    def trials(self, name: str, seed: int, learning_rate: float | None = None) -> list[Trial]:
        """Returns a method's trials with one seed and one learning rate: one, or one for each task.

        Raises:
            T5MixError: a run's settings are not allowed.
        """
        method, _ = self.methods()[name]
        tasks: Sequence[str | None] = self.sweep.tasks if method.per_task_runs else (None,)
        return [Trial(name, seed, learning_rate, task, self._chain(name, seed, learning_rate, task)) for task in tasks]

    def _chain(self, name: str, seed: int, learning_rate: float | None, task: str | None) -> str:
        """Plans the runs of a trial and returns the id of the last one."""
        method, point = self.methods()[name]
        before = seed if self.sweep.seeded_shared_runs else self.sweep.seeds[0]
        first, parent = self._first(method), None
        for number, settings in enumerate(() if method.from_scratch else self.sweep.shared_runs):
            label = "before" if number == 0 else f"before-{number}"
            parent = self._run(label, settings, before, parent, first, shared=True)
        *earlier, reported = method.runs
        common = [*self.sweep.method_settings, *point]
        for number, settings in enumerate(earlier):
            label = _label(f"{name}-{number}", task, settings)
            parent = self._run(label, [*common, *self._filled(settings, task)], before, parent, first)
        own = [*common, *self._filled(reported, task)]
        if name in self._steps:
            own.append(f"training.steps={self._steps[name]}")
        if learning_rate is not None:
            assert self.sweep.tuning is not None
            own.append(f"{self.sweep.tuning.key}={learning_rate}")
        return self._run(_label(name, task, ["{task}"]), own, seed, parent, first)

    def _first(self, method: Method) -> Overrides:
        """Returns what the settings of a chain's first run begin with: where its parameters come from."""
        if method.from_scratch:
            return (_FRESH,)
        return () if self.sweep.start_from is None else (f"start_from={json.dumps(self.sweep.start_from)}",)

    def _check(self, experiment: Experiment, *, first: bool) -> None:
        start = experiment.start_from if first else None
        known = experiment.finetuning, experiment.model, experiment.training.steps, start
        if known not in self._checked:
            check_policy(experiment)
            if first:
                starting_checkpoint(experiment)
            self._checked.append(known)

    def _filled(self, settings: Overrides, task: str | None) -> list[str]:
        """Returns settings with the task, and the others, in the places left for them."""
        if task is None:
            return list(settings)
        others = ",".join(other for other in self.sweep.tasks if other != task)
        return [setting.replace("{task}", task).replace("{others}", others) for setting in settings]

    def _run(
        self,
        name: str,
        settings: Sequence[str],
        seed: int,
        parent: str | None,
        first: Overrides,
        *,
        shared: bool = False,
    ) -> str:
        overrides = (*(first if parent is None else ()), *self.sweep.settings, *settings, f"seed={seed}")
        if (key := (name, overrides, parent)) in self._planned:
            return self._planned[key]
        start = [] if parent is None else [f"start_from={parent}"]
        try:
            experiment = read_experiment(
                compose_experiment(self.sweep.config, [*overrides, f"run_dir={_OWN_PLACE}", *start])
            )
            if parent is None and first == (_FRESH,) and experiment.start_from is not None:
                raise T5MixError(f"it is fresh, but its settings have start_from={experiment.start_from}: keep one.")
            self._check(experiment, first=parent is None)
        except T5MixError as error:
            raise T5MixError(f"{name}: {error}") from error
        plain = {key: value for key, value in experiment.to_json().items() if key not in _PLACES}
        identity = sha256_of_json(plain)
        slug = re.sub(r"[^\w.=-]+", "_", name)
        run = PlannedRun(identity, slug, self.sweep.config, overrides, parent, shared, experiment)
        self.runs.setdefault(identity, run)
        self._planned[key] = identity
        return identity


def _label(name: str, task: str | None, settings: Sequence[str]) -> str:
    """Returns the name of a run: with the task, if it depends on it."""
    depends = any("{task}" in setting or "{others}" in setting for setting in settings)
    return f"{name}-{task}" if task is not None and depends else name


_PLACES = ("run_dir", "store_dir", "mesh", "distributed")
"""Settings that change no result."""


def check_all(planner: SweepPlanner) -> list[Trial]:
    """Plans every trial that is known beforehand: all methods with all seeds and learning rates of the grids.

    Returns:
        The trials, tuning first: with the seeds of `tuning` all learning rates, with the others the grid's middle one,
        in whose place the chosen one will be.

    Raises:
        T5MixError: a run's settings are not allowed, or two methods are one and the same.
    """
    trials = list(_foreseen(planner))
    twins: dict[tuple[str, int, float | None, str | None], str] = {}
    for trial in trials:
        key = (trial.run, trial.seed, trial.learning_rate, trial.task)
        other = twins.setdefault(key, trial.method)
        if other != trial.method:
            raise T5MixError(
                f"The methods {other!r} and {trial.method!r} are the same runs: {planner.runs[trial.run].name}. "
                "Remove one of them, or give it the setting in which it should differ."
            )
    return trials


def _foreseen(planner: SweepPlanner) -> Iterator[Trial]:
    tuning = planner.sweep.tuning
    for name in planner.methods():
        rates = planner.learning_rates(name)
        if tuning is not None and len(rates) > 1:
            for seed, rate in itertools.product(tuning.seeds, rates):
                yield from planner.trials(name, seed, rate)
        for seed in planner.sweep.seeds:
            if tuning is None or len(rates) == 1 or seed not in tuning.seeds:
                yield from planner.trials(name, seed, rates[len(rates) // 2])


def order(runs: Mapping[str, PlannedRun], wanted: Sequence[str]) -> list[PlannedRun]:
    """Returns runs, and those that they start from, each after the one that it starts from."""
    placed: dict[str, PlannedRun] = {}
    for identity in wanted:
        chain: list[str] = []
        here: str | None = identity
        while here is not None and here not in placed:
            chain.append(here)
            here = runs[here].parent
        placed.update((each, runs[each]) for each in reversed(chain))
    return list(placed.values())


def manifest(planner: SweepPlanner) -> dict[str, Any]:
    """Returns the runs that are known beforehand, as plain data."""
    return {
        "runs": [
            {
                "name": run.name,
                "folder": f"runs/{run.folder}",
                "config": run.config,
                "settings": list(run.overrides),
                "starts_from": run.experiment.start_from
                if run.parent is None
                else f"runs/{planner.runs[run.parent].folder}",
                "steps": run.steps,
            }
            for run in planner.runs.values()
        ],
    }


def placed(run: PlannedRun, folder: Path, runs: Mapping[str, PlannedRun]) -> Experiment:
    """Returns a run's experiment with its folders filled in.

    Args:
        run: the run.
        folder: that holds the folders of all runs.
        runs: all of them, by id.
    """
    start: Path | None = None
    if run.parent is not None:
        start = folder / runs[run.parent].folder
    elif run.experiment.start_from is not None:
        start = Path(run.experiment.start_from).expanduser().absolute()
    return dataclasses.replace(
        run.experiment,
        run_dir=str(folder / run.folder),
        start_from=None if start is None else str(start),
        store_dir=str(Path(run.experiment.store_dir).expanduser().absolute()),
    )


def _written(value: Any) -> str:
    """Returns a value of the grid as an override says it."""
    return json.dumps(value) if isinstance(value, (bool, type(None), list, dict)) else str(value)
