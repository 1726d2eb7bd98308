"""From a sweep to runs: which there are, which starts from which, and which trial each of them is for."""

import dataclasses
import hashlib
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from t5mix.composition import compose_experiment
from t5mix.errors import T5MixError
from t5mix.experiment import read_experiment
from t5mix.sweep.spec import Method, Overrides, Sweep

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
        steps: its length.
    """

    id: str
    name: str
    config: str
    overrides: Overrides
    parent: str | None
    steps: int

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


class Planner:
    """Turns methods, seeds and learning rates into runs; each is validated as `t5mix train` would.

    Args:
        sweep: the sweep.
    """

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.runs: dict[str, PlannedRun] = {}

    def methods(self) -> dict[str, tuple[Method, Overrides]]:
        """Returns each method at each point of the grid, by name, with the settings of the point."""
        keys = list(self.sweep.grid)
        points = [dict(zip(keys, values, strict=True)) for values in itertools.product(*self.sweep.grid.values())]
        found = {}
        for name, method in self.sweep.methods.items():
            for point in points:
                label = ", ".join([name, *(f"{key.rpartition('.')[2]}={value}" for key, value in point.items())])
                found[label] = method, tuple(f"{key}={_written(value)}" for key, value in point.items())
        return found

    def learning_rates(self, name: str) -> tuple[float | None, ...]:
        """Returns the grid of learning rates of a method; one None where nothing is tuned."""
        method, _ = self.methods()[name]
        if self.sweep.tuning is None:
            return (None,)
        rates = method.learning_rates if method.learning_rates is not None else self.sweep.tuning.learning_rates
        return tuple(sorted(rates)) or (None,)

    def trials(self, name: str, seed: int, learning_rate: float | None = None) -> list[Trial]:
        """Returns a method's trials with one seed and one learning rate: one, or one for each task.

        Raises:
            T5MixError: a run's settings are not allowed.
        """
        method, _ = self.methods()[name]
        tasks: Sequence[str | None] = self.sweep.tasks if method.each_task else (None,)
        return [Trial(name, seed, learning_rate, task, self._chain(name, seed, learning_rate, task)) for task in tasks]

    def _chain(self, name: str, seed: int, learning_rate: float | None, task: str | None) -> str:
        """Plans the runs of a trial and returns the id of the last one."""
        method, point = self.methods()[name]
        parent: str | None = None
        if not method.fresh:
            before_seed = seed if self.sweep.seeded_before else self.sweep.seeds[0]
            for number, settings in enumerate(self.sweep.before):
                parent = self._run("before" if number == 0 else f"before-{number}", settings, before_seed, parent)
        for number, settings in enumerate(method.runs):
            last = number == len(method.runs) - 1
            label = name if last else f"{name}-{number}"
            own = [*point, *(self._filled(setting, task) for setting in settings)]
            if last and learning_rate is not None:
                assert self.sweep.tuning is not None
                own.append(f"{self.sweep.tuning.key}={learning_rate}")
            parent = self._run(label if task is None else f"{label}-{task}", own, seed, parent)
        assert parent is not None
        return parent

    def _filled(self, setting: str, task: str | None) -> str:
        if task is None:
            return setting
        others = ",".join(other for other in self.sweep.tasks if other != task)
        return setting.replace("{task}", task).replace("{others}", others)

    def _run(self, name: str, settings: Sequence[str], seed: int, parent: str | None) -> str:
        overrides = (*self.sweep.settings, *settings, f"seed={seed}")
        start = [] if parent is None else [f"start_from={parent}"]
        try:
            raw = compose_experiment(self.sweep.config, [*overrides, f"run_dir={_OWN_PLACE}", *start])
            plain = read_experiment(raw).to_json()
        except T5MixError as error:
            raise T5MixError(f"{name}: {error}") from error
        for key in _PLACES:
            plain.pop(key)
        identity = hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
        slug = re.sub(r"[^\w.=-]+", "_", name)
        steps = plain["training"]["steps"]
        self.runs.setdefault(identity, PlannedRun(identity, slug, self.sweep.config, overrides, parent, steps))
        return identity


_PLACES = ("run_dir", "store_dir", "mesh", "distributed")
"""Settings that change no result."""


def check_all(planner: Planner) -> list[Trial]:
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


def _foreseen(planner: Planner) -> Iterator[Trial]:
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


def command_settings(run: PlannedRun, folder: Path, runs: Mapping[str, PlannedRun], stores: str) -> list[str]:
    """Returns a run's settings for `t5mix train`, folders included.

    Args:
        run: the run.
        folder: that holds the folders of all runs.
        runs: all of them, by id.
        stores: the folder of the token stores.
    """
    start = [] if run.parent is None else [f"start_from={folder / runs[run.parent].folder}"]
    return [*run.overrides, *start, f"run_dir={folder / run.folder}", f"store_dir={stores}"]


def _written(value: Any) -> str:
    """Returns a value of the grid as an override says it."""
    return json.dumps(value) if isinstance(value, (bool, type(None), list, dict)) else str(value)
