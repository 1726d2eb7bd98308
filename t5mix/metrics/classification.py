"""Metrics of labels: accuracy, exact match, Matthews' correlation, F1.

A prediction that is no label counts as wrong, inside F1 and Matthews' correlation too.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from t5mix.configurable import configurable
from t5mix.metrics.example_scores import ExampleMetric, ExampleScores, Metric, example_metric
from t5mix.metrics.pairs import Scores, matches, pair_up


@example_metric
def accuracy(targets: Sequence[Any], predictions: Sequence[Any]) -> Scores:
    """Returns the percentage of predictions that equal their target, or one of them where it is a list."""
    return {"accuracy": ExampleScores.of_means([matches(*pair) for pair in pair_up(targets, predictions)])}


@example_metric
def exact_match(targets: Sequence[Any], predictions: Sequence[Any]) -> Scores:
    """Returns the same as `accuracy`, by the name that it has for text."""
    return {"exact_match": ExampleScores.of_means([matches(*pair) for pair in pair_up(targets, predictions)])}


@example_metric
def matthews(targets: Sequence[Any], predictions: Sequence[Any]) -> Scores:
    """Returns Matthews' correlation of labels (CoLA), for several classes in Gorodkin's form.

    Where the targets hold two labels, a prediction that is neither counts as the opposite of its target;
    where they hold more, such predictions form one more class, which is never right.
    """
    labels = list(dict.fromkeys(targets))
    pairs = pair_up(targets, predictions)
    if len(labels) == 2:
        opposite = dict(zip(labels, reversed(labels), strict=True))
        pairs = [(target, guess if guess in opposite else opposite[target]) for target, guess in pairs]
    return {"matthews": ExampleScores("matthews", _label_rows(labels, pairs))}


@configurable
class F1(ExampleMetric):
    """F1 of one label, in a task of two labels.

    A prediction that is no label counts as the opposite of its target: a miss where the target is
    `label`, a false alarm elsewhere. The labels are `label` and those among the targets.

    Attributes:
        label: the positive label.
    """

    kind: ClassVar[str] = "f1"
    label: str

    @property
    def options_text(self) -> str:
        """The label."""
        return str(self.label)

    def example_scores(self, targets: Sequence[Any], predictions: Sequence[Any]) -> Scores:
        """Returns the hits, misses and false alarms."""
        labels = {self.label, *targets}

        def row(target: Any, guess: Any) -> tuple[bool, bool, bool]:
            if target == self.label:
                return guess == self.label, guess != self.label, False
            return False, False, guess == self.label or guess not in labels

        return {"f1": ExampleScores.of("f1", [row(*pair) for pair in pair_up(targets, predictions)])}

    def limit(self, value: str, targets: Sequence[Any]) -> str:
        """Returns that no target is the label, where that is so."""
        return "" if self.label in targets else f"no target is {self.label!r}"


def f1(positive: Any) -> Metric:
    """Returns the metric F1 of the label `positive`, in a task of two labels: see `F1`."""
    metric = F1(label=positive)
    object.__setattr__(metric, "__doc__", f"Returns the F1 score of the label {positive!r}.")
    return metric


@example_metric
def macro_f1(targets: Sequence[Any], predictions: Sequence[Any]) -> Scores:
    """Returns the mean of the F1 scores of all labels that occur among the targets (CB).

    A prediction that is no label is a miss of its target's label.
    """
    rows = _label_rows(list(dict.fromkeys(targets)), pair_up(targets, predictions))
    return {"macro_f1": ExampleScores("macro_f1", rows)}


@example_metric
def group_exact_match(targets: Sequence[Any], predictions: Sequence[Any]) -> Scores:
    """Returns the percentage of groups whose predictions are all right (MultiRC's EM over questions).

    Targets are mappings {"group", "label"}, as `postprocessors.grouped_label` makes them. The units of its example
    scores are the groups.
    """
    groups: dict[Any, bool] = defaultdict(lambda: True)
    for target, guess in pair_up(targets, predictions):
        groups[target["group"]] &= bool(target["label"] == guess)
    return {"group_exact_match": ExampleScores.of_means(list(groups.values()))}


def on_labels(metric: Metric) -> Metric:
    """Returns `metric` for targets {"group", "label"}: it sees the labels alone (MultiRC's F1a)."""
    gives_scores = isinstance(metric, ExampleMetric)
    function: Callable[..., Any] = metric.example_scores if gives_scores else metric

    def of_labels(targets: Sequence[Any], predictions: Sequence[Any]) -> Any:
        return function([target["label"] for target in targets], predictions)

    of_labels.__name__ = of_labels.__qualname__ = metric.__name__
    of_labels.__doc__ = metric.__doc__
    return example_metric(of_labels) if gives_scores else of_labels


def _label_rows(labels: Sequence[Any], pairs: Sequence[tuple[Any, Any]]) -> np.ndarray:
    """Returns hits, targets and predictions of each class, [examples, 3 * classes]; the last class is no label."""
    index = {label: i for i, label in enumerate(labels)}
    classes = np.array([[index.get(label, len(labels)) for label in pair] for pair in pairs], int).reshape(-1, 2)
    targets, guesses = np.eye(len(labels) + 1)[classes.T]
    return np.hstack([targets * guesses, targets, guesses])
