"""Methods against a reference on the columns of a table, corrected for all that the table compares."""

import dataclasses
from collections.abc import Mapping

from t5mix.analysis.multiple_testing import holm
from t5mix.analysis.statistics import Estimate, Resampled
from t5mix.errors import UnknownNameError
from t5mix.sweep.spec import Sweep

ALPHA = 0.05
LEVEL = 1 - ALPHA

AVERAGE = "average"
"""The column that is the average of all tasks, in tables whose columns are not declared."""

Columns = Mapping[str, Mapping[str, float]]
"""The tasks of which each column is the average, and how much each counts there."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """A method in a column.

    Attributes:
        mean: its metric.
        difference: by how much it exceeds the reference's; None for the reference.
        corrected: Holm's p value of no difference, over all differences of the table; 1 where it cannot be tested.
    """

    mean: Estimate
    difference: Estimate | None = None
    corrected: float = 1.0

    @property
    def better(self) -> bool:
        """Whether it is shown to be better than the reference."""
        return self.difference is not None and self.corrected <= ALPHA and self.difference.value > 0

    @property
    def worse(self) -> bool:
        """Whether it is shown to be worse than the reference."""
        return self.difference is not None and self.corrected <= ALPHA and self.difference.value < 0


@dataclasses.dataclass(frozen=True)
class MethodComparison:
    """A table of methods by columns.

    Attributes:
        reference: the method that the others are compared with.
        columns: the tasks of each, with their weights.
        entries: by method and column.
    """

    reference: str
    columns: Columns
    entries: Mapping[str, Mapping[str, Entry]]

    @property
    def others(self) -> list[str]:
        """All methods but the reference."""
        return [method for method in self.entries if method != self.reference]

    @property
    def reasons(self) -> list[str]:
        """Why some means or differences have no interval, each reason once."""
        entries = [entry for row in self.entries.values() for entry in row.values()]
        estimates = [estimate for entry in entries for estimate in (entry.mean, entry.difference)]
        reasons = dict.fromkeys(estimate.reason for estimate in estimates if estimate is not None)
        return [reason for reason in reasons if reason]


def compare_methods(resampled: Resampled, reference: str, columns: Columns) -> MethodComparison:
    """Compares all methods with one, paired by seeds and examples.

    Raises:
        UnknownNameError: there is no such method or task.
    """
    entries: dict[str, dict[str, Entry]] = {}
    for method in resampled.study.methods:
        entries[method] = {}
        for name, weights in columns.items():
            difference = None if method == reference else resampled.difference(method, reference, weights)
            entries[method][name] = Entry(resampled.mean(method, weights), difference)
    tested = [(method, name) for method in entries if method != reference for name in columns]
    p_values = []
    for method, name in tested:
        difference = entries[method][name].difference
        p_value = None if difference is None else difference.p_value()
        p_values.append(1.0 if p_value is None else p_value)
    for (method, name), corrected in zip(tested, holm(p_values), strict=True):
        entries[method][name] = dataclasses.replace(entries[method][name], corrected=float(corrected))
    return MethodComparison(reference, columns, entries)


def headline_columns(sweep: Sweep, tasks: Mapping[str, object]) -> dict[str, dict[str, float]]:
    """Returns the columns of the headline table: the declared ones, or the average and each task.

    Raises:
        UnknownNameError: a column names a task that is not scored.
    """
    for name, column in sweep.columns.items():
        for task in column.weights:
            if task not in tasks:
                raise UnknownNameError("task", task, tasks, f"It is named in columns.{name} of sweep.json.")
    if sweep.columns:
        return {name: column.weights for name, column in sweep.columns.items()}
    return {**({AVERAGE: dict.fromkeys(tasks, 1.0)} if len(tasks) > 1 else {}), **task_columns(tasks)}


def task_columns(tasks: Mapping[str, object]) -> dict[str, dict[str, float]]:
    """Returns a column for each task."""
    return {task: {task: 1.0} for task in tasks}
