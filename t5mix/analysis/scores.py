"""Scores of methods by task, seed and example, in the form that statistics work on."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property

import numpy as np

from t5mix.errors import T5MixError, UnknownNameError

TaskSelection = str | Iterable[str] | Mapping[str, float] | None
"""A task, the tasks of a plain average, tasks with their weights in one, or None for the plain average of all."""

_NUMBERS_AT_ONCE = 2**22


@dataclasses.dataclass(frozen=True, eq=False)
class TaskScores:
    """What all methods and seeds scored on the examples of one task.

    Attributes:
        metric: the task's metric, from rows summed over examples: [..., k] -> [...]. NaN where it is undefined.
        rows: what each example adds to the sums; [methods, seeds, examples, k]. NaN throughout where a method's trial
            with a seed is missing. Examples are the units that are drawn: where questions share a paragraph whose
            answers are judged together, a paragraph is one example.
    """

    metric: Callable[[np.ndarray], np.ndarray]
    rows: np.ndarray

    @classmethod
    def of_means(cls, values: np.ndarray) -> "TaskScores":
        """Returns the scores of a metric that is a mean over examples, such as accuracy.

        Args:
            values: each example's, in the metric's unit; [methods, seeds, examples].
        """
        examples = values.shape[-1]
        return cls(lambda sums: sums[..., 0] / examples, values[..., None])

    def evaluate(self, sums: np.ndarray) -> np.ndarray:
        """Returns the metric of summed rows, [..., k] -> [...]; NaN where it is undefined, without a warning."""
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.asarray(self.metric(sums), dtype=float)
        return np.where(np.isfinite(values), values, np.nan)

    @cached_property
    def present(self) -> np.ndarray:
        """Which trials there are; [methods, seeds]."""
        return np.logical_not(np.isnan(self.rows).all(axis=(2, 3)))

    @cached_property
    def values(self) -> np.ndarray:
        """The metric of each trial; [methods, seeds], NaN for missing ones."""
        values = np.full(self.present.shape, np.nan)
        values[self.present] = self.evaluate(self.rows[self.present].sum(axis=1))
        return values

    def draw(self, draws: int, generator: np.random.Generator) -> np.ndarray:
        """Draws the examples with replacement, the same for all trials, and returns the metrics.

        Returns:
            [methods, seeds, draws]; NaN for missing trials, and where a draw leaves the metric undefined.
        """
        rows = self.rows[self.present].swapaxes(0, 1)
        examples, trials, k = rows.shape
        drawn = np.full((*self.present.shape, draws), np.nan)
        at_once = max(1, _NUMBERS_AT_ONCE // examples)
        for start in range(0, draws, at_once):
            count = min(at_once, draws - start)
            indices = generator.integers(examples, size=(count, examples)) + examples * np.arange(count)[:, None]
            counts = np.bincount(indices.ravel(), minlength=count * examples).reshape(count, examples)
            sums = (counts.astype(float) @ rows.reshape(examples, trials * k)).reshape(count, trials, k)
            drawn[self.present, start : start + count] = self.evaluate(sums).T
        return drawn


@dataclasses.dataclass(frozen=True, eq=False)
class Study:
    """The scores of methods that were run with the same seeds on the same tasks.

    Attributes:
        methods: names, in the order of the rows.
        seeds: paired: with the same seed all methods start from the same checkpoint and see the same order of data.
        tasks: scores by task.

    Raises:
        T5MixError: names repeat, there is nothing to compare, a task's rows have another shape than the study, some
            but not all rows of a trial are NaN, a metric gives another shape than `TaskScores` asks for, or is
            undefined on the examples as they are.
    """

    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    tasks: Mapping[str, TaskScores]

    def __post_init__(self):
        for noun, names in (("method", self.methods), ("seed", self.seeds), ("task", tuple(self.tasks))):
            if len(set(names)) < len(names) or not names:
                raise T5MixError(f"A study needs at least one {noun}, each named once; got {list(names)}.")
        for name, scores in self.tasks.items():
            self._check(name, scores)

    def _check(self, name: str, scores: TaskScores) -> None:
        expected, shape = (len(self.methods), len(self.seeds)), scores.rows.shape
        if len(shape) != 4 or shape[:2] != expected or 0 in shape:
            raise T5MixError(
                f"The rows of the task {name!r} have the shape {shape}; wanted: [{expected[0]} methods, {expected[1]} "
                "seeds, examples, k], with at least one example and k at least 1."
            )
        partly = np.logical_not(np.isfinite(scores.rows).all(axis=(2, 3))) & scores.present
        if partly.any():
            raise T5MixError(
                f"Some rows of {self._trial(partly)} on the task {name!r} are no numbers. Only a missing trial is NaN, "
                "in all of its rows."
            )
        sums = scores.rows[scores.present].sum(axis=1)
        if (shape := scores.evaluate(sums).shape) != sums.shape[:1]:
            raise T5MixError(
                f"The metric of the task {name!r} takes sums of the shape {sums.shape} to {shape}; "
                "it must take [..., k] to [...]."
            )
        undefined = ~np.isfinite(scores.values) & scores.present
        if undefined.any():
            raise T5MixError(
                f"The metric of the task {name!r} is undefined for {self._trial(undefined)}. Give it a value there, as "
                "t5mix.metrics does (0), or leave the trial out."
            )

    def _trial(self, where: np.ndarray) -> str:
        method, seed = np.argwhere(where)[0]
        return f"the method {self.methods[method]!r} with the seed {self.seeds[seed]}"

    def index(self, method: str) -> int:
        """Returns the place of a method; raises UnknownNameError if there is none of that name."""
        if method not in self.methods:
            raise UnknownNameError("method", method, self.methods)
        return self.methods.index(method)

    def weights(self, over: TaskSelection) -> dict[str, float]:
        """Returns the weight of each task in an average; they sum to 1.

        Raises:
            UnknownNameError: there is no task of that name.
            T5MixError: no weight at all, or one that is not a positive number.
        """
        if isinstance(over, Mapping):
            chosen = dict(over)
        else:
            names = self.tasks if over is None else [over] if isinstance(over, str) else over
            chosen = dict.fromkeys(names, 1.0)
        for task, weight in chosen.items():
            if task not in self.tasks:
                raise UnknownNameError("task", task, self.tasks)
            if not 0 < weight < np.inf:
                raise T5MixError(f"The weight of the task {task!r} in an average is {weight}; it must be above 0.")
        if not chosen:
            raise T5MixError(f"An average over no task; known: {', '.join(self.tasks)}.")
        total = sum(chosen.values())
        return {task: weight / total for task, weight in chosen.items()}

    def wins(self, over: TaskSelection = None) -> "Wins":
        """Counts how often each method has the higher metric, over tasks and seeds; see `Wins`.

        Raises:
            UnknownNameError: there is no task of that name.
        """
        values = np.stack([self.tasks[task].values for task in self.weights(over)])
        first, second = values[:, :, None], values[:, None]
        both = np.isfinite(first) & np.isfinite(second)
        points = np.where(both, (first > second) + 0.5 * (first == second), 0.0).sum(axis=(0, 3))
        cells = both.sum(axis=(0, 3))
        shares = np.divide(points, cells, out=np.full(points.shape, np.nan), where=cells > 0)
        return Wins(self.methods, shares, cells)


@dataclasses.dataclass(frozen=True, eq=False)
class Wins:
    """How often one method beat another with the same seed on the same task.

    Attributes:
        methods: names, in the order of rows and columns.
        shares: of the cells (a task with a seed) in which the row's method has the higher metric, ties counted half;
            [methods, methods], NaN where no cell has both.
        cells: how many have both; [methods, methods].
    """

    methods: tuple[str, ...]
    shares: np.ndarray
    cells: np.ndarray
