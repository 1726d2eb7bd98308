"""What each example adds to the metrics of its task: rows whose sums over any resampling of the examples give them.

NumPy alone, so that whoever reads rows needs nothing of what made them.
"""

import dataclasses
import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from t5mix.errors import UnknownNameError

Metric = Callable[[Sequence[Any], Sequence[Any]], dict[str, float]]
"""(targets, predictions) -> values by name."""

TEACHER_FORCED = ("loss", "token_accuracy")
"""What every task has, next to its own metrics."""

_MEAN_TOLERANCE = 1e-9
_ROUNDING = 1e-12


# Metrics of summed rows -------------------------------------------------------------------------------


def _mean(sums: np.ndarray) -> np.ndarray:
    """Rows: [value, 0 to 1; 1]."""
    return 100 * _ratio(sums[..., 0], sums[..., 1])


def _f1(sums: np.ndarray) -> np.ndarray:
    """Rows: [hits, misses, false alarms]."""
    hits, misses, alarms = np.moveaxis(sums, -1, 0)
    return 100 * _ratio(2 * hits, 2 * hits + misses + alarms)


def _macro_f1(sums: np.ndarray) -> np.ndarray:
    """Rows: for each class hits, then for each targets, then for each predictions."""
    hits, of_targets, of_predictions = _by_class(sums)
    among_targets = (of_targets > 0).sum(axis=-1)
    return 100 * _ratio(_ratio(2 * hits, of_targets + of_predictions).sum(axis=-1), among_targets)


def _matthews(sums: np.ndarray) -> np.ndarray:
    """Rows: as for the macro F1."""
    hits, of_targets, of_predictions = _by_class(sums)
    total = of_targets.sum(axis=-1)
    covariance = hits.sum(axis=-1) * total - (of_targets * of_predictions).sum(axis=-1)
    of_targets, of_predictions = (total**2 - (counts**2).sum(axis=-1) for counts in (of_targets, of_predictions))
    return 100 * _ratio(covariance, np.sqrt(of_targets * of_predictions))


def _pearson(sums: np.ndarray) -> np.ndarray:
    """Rows: [1, x, y, x * x, y * y, x * y]."""
    count, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)

    def deviation(total: np.ndarray, squares: np.ndarray) -> np.ndarray:
        spread = count * squares - total**2
        # Values that are all equal differ by what rounding made of their sums.
        return np.sqrt(np.where(spread > _ROUNDING * count * squares, spread, 0.0))

    return 100 * np.clip(_ratio(count * xy - x * y, deviation(x, xx) * deviation(y, yy)), -1, 1)


def _bleu(sums: np.ndarray) -> np.ndarray:
    """Rows: [tokens, tokens of the nearest reference, matching n-grams of n = 1 to 4, all n-grams of n = 1 to 4]."""
    length, reference_length = sums[..., 0], sums[..., 1]
    matches, ngrams = sums[..., 2:6], sums[..., 6:10]
    defined = matches.any(axis=-1) & ngrams.all(axis=-1)
    # Exponential smoothing: the first order without a match counts as half a match, the next as a quarter, and so on.
    smoothed = np.where(matches > 0, matches, 0.5 ** np.cumsum(matches == 0, axis=-1))
    log_precision = np.log(smoothed / np.maximum(ngrams, 1)).mean(axis=-1)
    log_brevity = np.minimum(0.0, 1 - _ratio(reference_length, length))
    return 100 * np.where(defined, np.exp(log_precision + log_brevity), 0.0)


def _by_class(sums: np.ndarray) -> np.ndarray:
    """[..., 3 * classes] -> [3, ..., classes]."""
    return np.moveaxis(sums.reshape(*sums.shape[:-1], 3, sums.shape[-1] // 3), -2, 0)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Returns part / whole; 0 where `whole` is 0."""
    return np.divide(part, whole, out=np.zeros(np.shape(whole)), where=np.asarray(whole) > 0)


REDUCERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mean": _mean,
    "f1": _f1,
    "macro_f1": _macro_f1,
    "matthews": _matthews,
    "pearson": _pearson,
    "bleu": _bleu,
}
"""By kind: the metric of rows summed over examples, [..., k] -> [...], on 0 to 100; 0 where it is undefined."""


# Rows -------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, eq=False)
class ExampleScores:
    """What each example adds to one metric.

    What a metric takes from all examples together stays as it is when they are drawn anew: the labels of a task, the
    range that the targets of a correlation have, and Spearman's ranks.

    Attributes:
        kind: a key of `REDUCERS`.
        rows: float64 [units, k]. A unit is an example; for a metric of groups, a group, in the order in which their
            first examples stand.
    """

    kind: str
    rows: np.ndarray

    @classmethod
    def of(cls, kind: str, rows: Sequence[Sequence[float]]) -> "ExampleScores":
        """Returns the scores of rows that are lists."""
        return cls(kind, np.array(rows, np.float64).reshape(len(rows), len(rows[0]) if rows else 0))

    @classmethod
    def of_means(cls, values: Sequence[float] | np.ndarray) -> "ExampleScores":
        """Returns the scores of a metric that is a mean over units, of values from 0 to 1; [units]."""
        return cls("mean", np.column_stack([np.asarray(values, np.float64), np.ones(len(values))]))

    def value(self) -> float:
        """Returns the metric of all units; 0.0 where there are none."""
        return float(REDUCERS[self.kind](self.rows.sum(axis=0))) if len(self.rows) else 0.0

    def to_json(self) -> dict[str, Any]:
        """Returns {"kind", "rows"} as plain data, of which `from_json` makes the same rows to the last bit."""
        rows = [[int(value) if value.is_integer() else value for value in row] for row in self.rows.tolist()]
        return {"kind": self.kind, "rows": rows}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "ExampleScores":
        """Reads what `to_json` gave.

        Raises:
            UnknownNameError: there is no such kind.
        """
        if raw["kind"] not in REDUCERS:
            raise UnknownNameError("kind of example scores", raw["kind"], REDUCERS)
        return cls.of(raw["kind"], raw["rows"])


# Metrics ----------------------------------------------------------------------------------------------


class ExampleMetric:
    """A metric that is a function of what each example adds to it; decorates the function that gives this.

    It is called and named as any metric function is, and copied by name.

    Attributes:
        example_scores: (targets, predictions) -> scores by the names of the metric's values.
    """

    __name__: str
    __qualname__: str

    def __init__(self, example_scores: Callable[[Sequence[Any], Sequence[Any]], dict[str, ExampleScores]]) -> None:
        self.example_scores = example_scores
        functools.update_wrapper(self, example_scores)

    def __call__(self, targets: Sequence[Any], predictions: Sequence[Any]) -> dict[str, float]:
        """Returns the metric's values."""
        return {name: scores.value() for name, scores in self.example_scores(targets, predictions).items()}

    def __reduce__(self) -> str:
        return self.__qualname__


def evaluate_metric(
    metric: Metric, targets: Sequence[Any], outputs: Sequence[Any]
) -> tuple[dict[str, float], dict[str, ExampleScores]]:
    """Returns a metric's values, and what each example adds to them where that is known.

    A metric that is no `ExampleMetric` is tried on the two halves of the examples and then on each of them alone: a
    value that is the mean of those, to 1e-9, is taken for a mean, in the metric's own unit. For any other value, and
    for a metric that fails on so few examples, nothing is known.

    Args:
        metric: the metric.
        targets: what it takes first.
        outputs: what it takes second, in the same order.
    """
    if isinstance(metric, ExampleMetric):
        scores = metric.example_scores(targets, outputs)
        return {name: rows.value() for name, rows in scores.items()}, scores
    values = metric(targets, outputs)
    try:
        with warnings.catch_warnings():  # of what is undefined for a single example
            warnings.simplefilter("ignore")
            return values, _means(metric, targets, outputs, values)
    except Exception:
        return values, {}


def _means(
    metric: Metric, targets: Sequence[Any], outputs: Sequence[Any], values: Mapping[str, float]
) -> dict[str, ExampleScores]:
    means: dict[str, np.ndarray] = {name: np.empty(0) for name in values}
    # The halves tell most other metrics, before many calls are spent on them.
    for size in (-(-len(targets) // 2), 1):
        slices = [slice(start, start + size) for start in range(0, len(targets), size)]
        parts = [metric(targets[part], outputs[part]) for part in slices] if means else []
        weights = [len(targets[part]) for part in slices]
        by_name = {name: np.array([part[name] for part in parts]) for name in means}
        means = {name: ones for name, ones in by_name.items() if _is_mean(values[name], ones, weights)}
    return {name: ExampleScores.of_means(ones / 100) for name, ones in means.items()}


def _is_mean(value: float, parts: np.ndarray, weights: Sequence[int]) -> bool:
    """Says so; never of what is not finite."""
    return bool(abs(np.average(parts, weights=weights) - value) <= _MEAN_TOLERANCE * np.abs(parts).max())


# Tasks ------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class TaskEvaluation:
    """How well a model does a task.

    Attributes:
        metrics: values by name: those of `TEACHER_FORCED` if they were computed, then the task's own, on 0 to 100 if
            they are ours.
        examples: what each example adds to the metrics of which that is known, by name.
    """

    metrics: Mapping[str, float]
    examples: Mapping[str, ExampleScores] = dataclasses.field(default_factory=dict)

    @property
    def headline(self) -> str | None:
        """The name of the metric that stands for the task: its first; None if it has none of its own."""
        return next((name for name in self.metrics if name not in TEACHER_FORCED), None)

    def to_json(self) -> dict[str, Any]:
        """Returns {"metrics", "headline", "examples"} as plain data."""
        examples = {name: scores.to_json() for name, scores in self.examples.items()}
        return {"metrics": dict(self.metrics), "headline": self.headline, "examples": examples}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "TaskEvaluation":
        """Reads what `to_json` gave.

        Raises:
            UnknownNameError: there is no such kind of example scores.
        """
        return cls(raw["metrics"], {name: ExampleScores.from_json(rows) for name, rows in raw["examples"].items()})
