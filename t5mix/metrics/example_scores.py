"""What each example adds to the metrics of its task: rows whose sums over any resampling of the examples give them.

NumPy alone, so that whoever reads rows needs nothing of what made them.
"""

import dataclasses
import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from t5mix.errors import UnknownNameError
from t5mix.metrics.reducers import REDUCERS

Metric = Callable[[Sequence[Any], Sequence[Any]], dict[str, float]]
"""(targets, predictions) -> values by name."""

LOSSES = ("loss", "perplexity", "bits_per_byte")
"""Of which less is better."""

Takes = Literal["prediction", "target_log_prob", "choice_log_probs"]
"""What a metric takes of a model for each example, by the fields of `t5mix.evaluation.predictions.Prediction`: the
generated text, the log-likelihood of the target, or those of all labels that the task has."""

CHOICES = ("choice_accuracy", "choice_accuracy_by_token")
"""What is computed from the likelihoods of all labels."""

TEACHER_FORCED = (*LOSSES, "token_accuracy")
"""What is computed from the likelihoods of the targets, and never a task's headline."""

_MEAN_TOLERANCE = 1e-9


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
    """A metric that is a function of what each example adds to it; called and named as any metric function is.

    Attributes:
        kind: the name it goes by in configuration.
        best: the value of a perfect model.
        takes: what it takes of a model as predictions.
    """

    kind: str
    best: float = 100.0
    takes: Takes = "prediction"

    @property
    def __name__(self) -> str:
        return self.kind

    @property
    def options_text(self) -> str:
        """Its options that are not the default, to tell it from another metric of its kind: "tokenize=zh"."""
        fields = dataclasses.fields(self) if dataclasses.is_dataclass(self) else ()
        options = {field.name: getattr(self, field.name) for field in fields}
        return ",".join(
            f"{field.name}={options[field.name]}" for field in fields if options[field.name] != field.default
        )

    def example_scores(self, targets: Sequence[Any], predictions: Sequence[Any]) -> dict[str, ExampleScores]:
        """Returns what each example adds, by the names of the metric's values, the headline first."""
        raise NotImplementedError

    def __call__(self, targets: Sequence[Any], predictions: Sequence[Any]) -> dict[str, float]:
        """Returns the metric's values."""
        return {name: scores.value() for name, scores in self.example_scores(targets, predictions).items()}

    def signatures(self, targets: Sequence[Any]) -> dict[str, str]:
        """Returns what others need to know to compare a value with theirs, by its name; of most metrics nothing."""
        return {}

    def perfect(self, targets: Sequence[Any], predictions: Sequence[Any]) -> Sequence[Any]:
        """Returns what the metric takes of a perfect model.

        Args:
            targets: of all examples, post-processed.
            predictions: the targets as the vocabulary writes them, post-processed as predictions.
        """
        return predictions

    def limit(self, value: str, targets: Sequence[Any]) -> str:
        """Returns why the targets keep a perfect model from the best value; empty where the metric knows no reason.

        Args:
            value: the name of one of the metric's values.
            targets: of all examples, post-processed.
        """
        alike = all(target == targets[0] for target in targets[1:])
        return "all targets are alike" if alike else ""

    def doubt(self, targets: Sequence[Any]) -> str:
        """Returns why the metric says little about such targets, although a perfect model gets the best value."""
        return ""


class _FunctionMetric(ExampleMetric):
    """A metric without options; copied by name."""

    def __init__(self, function: Callable[[Sequence[Any], Sequence[Any]], dict[str, ExampleScores]]) -> None:
        self._function = function
        self.kind = function.__name__
        functools.update_wrapper(self, function, assigned=("__module__", "__doc__"), updated=())

    def example_scores(self, targets: Sequence[Any], predictions: Sequence[Any]) -> dict[str, ExampleScores]:
        return self._function(targets, predictions)

    def __reduce__(self) -> str:
        return self.kind


def example_metric(
    function: Callable[[Sequence[Any], Sequence[Any]], dict[str, ExampleScores]],
) -> ExampleMetric:
    """Makes a metric of the function that gives its example scores; a decorator."""
    return _FunctionMetric(function)


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
        signatures: how metrics were computed that have many variants, by name, as sacreBLEU writes it.
    """

    metrics: Mapping[str, float]
    examples: Mapping[str, ExampleScores] = dataclasses.field(default_factory=dict)
    signatures: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def headline(self) -> str | None:
        """The name of the metric that stands for the task: its first; None if it has none of its own."""
        return next((name for name in self.metrics if name not in TEACHER_FORCED), None)

    def to_json(self) -> dict[str, Any]:
        """Returns {"metrics", "headline", "examples", "signatures"} as plain data."""
        return {
            "metrics": dict(self.metrics),
            "headline": self.headline,
            "examples": {name: scores.to_json() for name, scores in self.examples.items()},
            "signatures": dict(self.signatures),
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "TaskEvaluation":
        """Reads what `to_json` gave.

        Raises:
            UnknownNameError: there is no such kind of example scores.
        """
        examples = {name: ExampleScores.from_json(rows) for name, rows in raw["examples"].items()}
        return cls(raw["metrics"], examples, raw.get("signatures", {}))
