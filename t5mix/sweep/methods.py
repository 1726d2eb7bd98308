"""What a sweep compares: its methods, and each of them at each point of the grid."""

import dataclasses
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from t5mix.configurable import configurable

Overrides = tuple[str, ...]
"""Settings of a run as on the command line, `key=value`. `{task}` stands for a task, see `Method.per_task_runs`."""

Values = Mapping[str, tuple[Any, ...]]
"""Settings, and the values to try of each."""


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


@dataclasses.dataclass(frozen=True)
class MethodVariant:
    """A method at one point of the grid: a row of the report.

    Attributes:
        id: the label as files can be named after it; no two variants of a sweep have the same.
        label: the method's name and the values of the point. People read it, and trials and reports hold it.
        method: the method.
        settings: of the point.
        learning_rates: to choose from, in ascending order; empty where nothing is tuned.
        trial_tasks: the tasks that a trial each is made for; None stands for all of them in one trial.
    """

    id: str
    label: str
    method: Method
    settings: Overrides
    learning_rates: tuple[float, ...]
    trial_tasks: tuple[str | None, ...]

    @property
    def tuned(self) -> bool:
        """Whether its learning rate is chosen among several."""
        return len(self.learning_rates) > 1

    @property
    def middle_rate(self) -> float | None:
        """The middle one of its learning rates, or the only one; None where nothing is tuned."""
        return self.learning_rates[len(self.learning_rates) // 2] if self.learning_rates else None


def grid_points(grid: Values, together: Values) -> list[dict[str, Any]]:
    """Returns the settings of each point: all combinations of the grid, at each position of what changes together.

    Args:
        grid: every value of each is combined with every value of the others.
        together: has equally many values of each. Empty, it is one position that sets nothing.
    """
    combinations = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    positions = [dict(zip(together, values, strict=True)) for values in zip(*together.values(), strict=True)] or [{}]
    return [{**combination, **position} for combination, position in itertools.product(combinations, positions)]


def label_at(name: str, point: Mapping[str, Any]) -> str:
    """Returns what a method is called at a point: its name, and the point's values."""
    return ", ".join([name, *(f"{key.rpartition('.')[2]}={value}" for key, value in point.items())])


def settings_at(point: Mapping[str, Any]) -> Overrides:
    """Returns the settings of a point as on the command line."""
    return tuple(f"{key}={_as_override(value)}" for key, value in point.items())


def _as_override(value: Any) -> str:
    return json.dumps(value) if isinstance(value, (bool, type(None), list, dict)) else str(value)


def file_name(text: str) -> str:
    """Returns text with what does not belong into a file's name replaced."""
    return re.sub(r"[^\w.=-]+", "_", text)


def unique_file_names(texts: list[str]) -> Iterator[str]:
    """Yields a file's name for each text; those that would be the same as an earlier one get a number."""
    taken: set[str] = set()
    for text in texts:
        base = file_name(text)
        candidates = itertools.chain([base], (f"{base}-{number}" for number in itertools.count(2)))
        name = next(candidate for candidate in candidates if candidate not in taken)
        taken.add(name)
        yield name
