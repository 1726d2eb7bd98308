"""The sweep file: what is compared, over which seeds and learning rates, and what is claimed before anything runs."""

import dataclasses
import itertools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml

from t5mix.configurable import configurable
from t5mix.errors import T5MixError, UnknownNameError
from t5mix.validation import validate

Overrides = tuple[str, ...]
"""Settings of a run as on the command line, `key=value`. `{task}` stands for a task, see `Method.per_task_runs`."""


@configurable
class Method:
    """One of the things that are compared.

    Attributes:
        runs: the method's own runs, in order, each with its settings; each starts from the one before it, the first
            from the last of the sweep's `shared_runs`, or from its `start_from`. The last one is reported, and its
            learning rate is tuned.
        from_scratch: whether the first run starts from nothing, and not from the sweep's `start_from` and
        `shared_runs`.
        per_task_runs: whether the method's own runs are made once for each task, on which alone they are then reported.
            `{task}` in their settings stands for it, and `{others}` for the other tasks, joined by commas.
        learning_rates: to choose from; None for those of the sweep's `tuning`.
        paper: the row of the paper's table that it corresponds to, if any.
    """

    runs: tuple[Overrides, ...] = ((),)
    from_scratch: bool = False
    per_task_runs: bool = False
    learning_rates: tuple[float, ...] | None = None
    paper: str | None = None

    def __post_init__(self) -> None:
        if not self.runs:
            raise ValueError("runs is empty: a method has at least one run")
        if self.per_task_runs and not any("{task}" in setting for setting in self.runs[-1]):
            raise ValueError("per_task_runs is set, and the last run does not depend on {task}")


@configurable
class Tuning:
    """How each method's learning rate is chosen.

    Attributes:
        learning_rates: the grid, for methods without one of their own.
        key: the setting that is tuned.
        seeds: the seeds that the choice is made with.
        split: the split that it is made on.
        extensions: how often a grid may be extended at an edge at which the best one lies.
    """

    learning_rates: tuple[float, ...] = ()
    key: str = "schedule.learning_rate"
    seeds: tuple[int, ...] = (0,)
    split: str = "validation"
    extensions: int = 2

    def __post_init__(self) -> None:
        if any(rate <= 0 for rate in self.learning_rates):
            raise ValueError(f"tuning.learning_rates has {min(self.learning_rates)}: rates are above 0")
        if self.extensions < 0 or not self.seeds:
            raise ValueError("tuning needs at least one seed, and tuning.extensions cannot be negative")


@configurable
class Hypothesis:
    """Something claimed before anything runs, to be judged by what comes out.

    Attributes:
        claim: in words.
        better: the method that should win.
        worse: the method that should lose.
        margin: by how much, in points of the metric; below zero for "at most that much worse".
        tasks: on the mean of which tasks; by default all.
        minus_tasks: tasks on which it wins by less: what is judged is the difference on `tasks` minus that on these.
    """

    claim: str
    better: str
    worse: str
    margin: float = 0.0
    tasks: tuple[str, ...] = ()
    minus_tasks: tuple[str, ...] = ()


@configurable
class Column:
    """A column of the headline table: a task, or the average of several.

    Attributes:
        tasks: of which it is the average; an inner list counts as one task, as do the two test sets of GLUE's MNLI.
        paper: the column of the paper's tables that is shown beside it, if any.
    """

    tasks: tuple[str | tuple[str, ...], ...]
    paper: str | None = None

    def __post_init__(self) -> None:
        if not self.tasks or () in self.tasks:
            raise ValueError("tasks is empty or holds an empty list: a column is the average of at least one")
        if len(self.weights) < sum(map(len, self._groups)):
            raise ValueError(f"tasks names a task twice: {', '.join(name for each in self._groups for name in each)}")

    @property
    def weights(self) -> dict[str, float]:
        """How much each task counts: 1, or its part of the inner list that it is in."""
        return {task: 1 / len(group) for group in self._groups for task in group}

    @property
    def _groups(self) -> list[tuple[str, ...]]:
        return [(each,) if isinstance(each, str) else each for each in self.tasks]


@configurable
class Budget:
    """What all methods get equally much of in the runs that are reported.

    Attributes:
        equal: "steps", as configured; "tokens" (inputs and targets), "flops" or "seconds": then each method's steps
            follow from what one of its steps takes, which is found out before the first trial.
        of: the method whose configured steps say how much that is; None for the first.
    """

    equal: Literal["steps", "tokens", "flops", "seconds"] = "steps"
    of: str | None = None


@configurable
class Sweep:
    """A comparison.

    Attributes:
        name: of the sweep.
        title: one line for the report.
        config: the experiment that all runs are variations of: a configuration of the package, or a file's path.
        settings: of every run.
        method_settings: of every run of a method, as opposed to those of `shared_runs`.
        start_from: a run's folder or a checkpoint that `shared_runs`, or without it the methods, start from; None for
        fresh
            parameters. It counts as it is when a run starts: leave it alone while the sweep runs.
        shared_runs: runs that all methods begin with, each starting from the one before it.
        methods: what is compared, by name.
        grid: settings and the values to try of each; every method is run with every combination.
        zip: settings that change together, and as many values of each: every method, at every point of the grid, is run
            with all first values, with all second ones, and so on.
        seeds: of the methods' own runs; the same seed means the same data order for all methods.
        seeded_shared_runs: whether the runs that the reported ones start from are made anew for each seed, or once,
        with the
            first one: intervals then speak of fine-tuning, from this one checkpoint.
        tuning: how learning rates are chosen; None to take them as configured.
        split: the split that is reported.
        checkpoint: the one that is reported: "latest", or "best", for each task the one with the lowest loss on the
            validation split among those that the run evaluated and kept.
        metrics: the metric reported for a task, where it is not the task's first; of several, their mean.
        tasks: the tasks reported; by default all of a method's last run that have metrics.
        columns: of the headline table, by name; by default each task has its own.
        budget: what is equal for all methods.
        reference: the method that the others are compared with; None for the first.
        single_task_baseline: the method, one with `per_task_runs`, that trains each task alone: the report shows what
        each task gains or
            loses against it under the others.
        paper: the number of the paper's table whose layout and figures are shown beside ours: 10, 11 or 12.
        hypotheses: judged in the report, by name.
    """

    name: str
    config: str
    methods: Mapping[str, Method]
    title: str = ""
    settings: Overrides = ()
    method_settings: Overrides = ()
    start_from: str | None = None
    shared_runs: tuple[Overrides, ...] = ()
    grid: Mapping[str, tuple[Any, ...]] = dataclasses.field(default_factory=dict)
    zip: Mapping[str, tuple[Any, ...]] = dataclasses.field(default_factory=dict)
    seeds: tuple[int, ...] = (0, 1, 2)
    seeded_shared_runs: bool = False
    tuning: Tuning | None = None
    split: str = "validation"
    checkpoint: Literal["latest", "best"] = "latest"
    metrics: Mapping[str, str | tuple[str, ...]] = dataclasses.field(default_factory=dict)
    tasks: tuple[str, ...] = ()
    columns: Mapping[str, Column] = dataclasses.field(default_factory=dict)
    budget: Budget = dataclasses.field(default_factory=Budget)
    reference: str | None = None
    single_task_baseline: str | None = None
    paper: Literal[10, 11, 12] | None = None
    hypotheses: Mapping[str, Hypothesis] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w.-]+", self.name):
            raise ValueError(f"name is {self.name!r}: letters, digits, '_', '-' and '.' only")
        if not self.methods:
            raise ValueError("methods is empty: name at least one")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds is {list(self.seeds)}: give at least one, and each once")
        if any(not values for values in (*self.grid.values(), *self.zip.values())):
            raise ValueError("grid or zip has a setting without values")
        if len({len(values) for values in self.zip.values()}) > 1:
            lengths = ", ".join(f"{len(values)} of {key}" for key, values in self.zip.items())
            raise ValueError(f"zip needs equally many values of each setting, and has {lengths}")
        if both := [key for key in self.grid if key in self.zip]:
            raise ValueError(f"grid and zip both have {both[0]}: a setting is varied in one of them")
        for task in self.metrics:
            names = self.named_metrics(task)
            if not names or len(set(names)) < len(names):
                raise ValueError(f"metrics.{task} is {list(names)}: name at least one metric, and each once")
        if any(method.per_task_runs for method in self.methods.values()) and not self.tasks:
            raise ValueError("tasks is empty: methods with per_task_runs need to know the tasks")
        known = grid_points(self)
        named = {
            "reference": self.reference,
            "single_task_baseline": self.single_task_baseline,
            "budget.of": self.budget.of,
        }
        for name, hypothesis in self.hypotheses.items():
            named |= {f"hypotheses.{name}.better": hypothesis.better, f"hypotheses.{name}.worse": hypothesis.worse}
        for place, method in named.items():
            if method is not None and method not in known:
                raise ValueError(f"{place} is {method!r}; the methods are {'; '.join(known)}")

    def learning_rates(self, method: Method) -> tuple[float, ...]:
        """Returns those that a method chooses from, in ascending order; none where nothing is tuned."""
        if self.tuning is None:
            return ()
        return tuple(sorted(self.tuning.learning_rates if method.learning_rates is None else method.learning_rates))

    def named_metrics(self, task: str) -> tuple[str, ...]:
        """Returns the metrics that are named for a task; none where its first is reported."""
        named = self.metrics.get(task, ())
        return (named,) if isinstance(named, str) else named


def grid_points(sweep: Sweep) -> dict[str, tuple[str, dict[str, Any]]]:
    """Returns each method at each point of grid and zip, by its name: the method's own name, and the point's settings.

    The points of zip are its positions; without one there is a single point, which sets nothing.
    """
    grid = [dict(zip(sweep.grid, values, strict=True)) for values in itertools.product(*sweep.grid.values())]
    together = [dict(zip(sweep.zip, values, strict=True)) for values in zip(*sweep.zip.values(), strict=True)] or [{}]
    points = [{**point, **more} for point, more in itertools.product(grid, together)]
    return {
        ", ".join([name, *(f"{key.rpartition('.')[2]}={value}" for key, value in point.items())]): (name, point)
        for name in sweep.methods
        for point in points
    }


def load_sweep(path: Path, scale: str | None = None, changes: Mapping[str, Any] | None = None) -> Sweep:
    """Reads a sweep file.

    Args:
        path: of a YAML file with the fields of `Sweep`, and optionally `scales`: by name, the fields that are others
            at that scale. There `settings` and `method_settings` are appended to the file's own, and `methods` and
            `hypotheses` may be lists of names, of those that remain; all else replaces it. `scale` names the one to
            take where none is asked for.
        scale: one of them; None for the file's own choice, or the file as it is.
        changes: fields that are others still, as in a scale.

    Raises:
        T5MixError: the file is missing or no YAML, the scale is unknown, or a field is; a value is not allowed.
    """
    if not path.is_file():
        raise T5MixError(f"There is no sweep file {path}.")
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise T5MixError(f"{path} is no YAML: {error}") from error
    if not isinstance(raw, dict):
        raise T5MixError(f"{path} holds no sweep: it should be a mapping with name, config and methods.")
    scales, default = raw.pop("scales", None) or {}, raw.pop("scale", None)
    scale = scale or default
    if scale is not None:
        if scale not in scales:
            raise UnknownNameError("scale", scale, list(scales))
        raw = _changed(raw, scales[scale] or {})
    raw = _changed(raw, changes or {})
    if "config" in raw and raw["config"] is None:
        raise T5MixError(
            f"{path.name} is for tasks of your own{f' at the scale {scale!r}' if scale else ''}: name the file that "
            "declares them, config=FILE.yaml. docs/sweeps.md has an example."
        )
    return read_sweep(raw, str(path))


def _changed(raw: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a sweep's fields, changed: settings are appended, a list of methods' or hypotheses' names picks them."""
    changed = {**raw, **changes}
    for key in ("settings", "method_settings"):
        changed[key] = [*(raw.get(key) or ()), *(changes.get(key) or ())]
    for key in ("methods", "hypotheses"):
        if isinstance(changes.get(key), list):
            there = raw.get(key) or {}
            for name in changes[key]:
                if name not in there:
                    raise UnknownNameError(key, str(name), there)
            changed[key] = {name: there[name] for name in changes[key]}
    return changed


def read_sweep(raw: Mapping[str, Any], place: str = "the sweep") -> Sweep:
    """Validates plain data.

    Raises:
        T5MixError: a field is unknown or missing, or a value is not allowed.
    """
    return validate(Sweep, dict(raw), source=place)
