"""Metrics of labels: accuracy, exact match, Matthews' correlation, F1.

A prediction that is no label counts as wrong, inside F1 and Matthews' correlation too.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from t5mix.metrics.example_scores import ExampleMetric, ExampleScores, Metric
from t5mix.metrics.pairs import Scores, pair_up


@ExampleMetric
def accuracy(targets: Sequence[Any], predictions: Sequence[Any]) -> Scores:
    """Returns the percentage of predictions that equal their target."""
    hits = [bool(target == guess) for target, guess in pair_up(targets, predictions)]
    return {"accuracy": ExampleScores.of_means(hits)}


@ExampleMetric
def exact_match(targets: Sequence[Any], predictions: Sequence[Any]) -> Scores:
    """Returns the percentage of predictions that equal their target, or one of them where it is a list."""
    hits = [_matches(target, guess) for target, guess in pair_up(targets, predictions)]
    return {"exact_match": ExampleScores.of_means(hits)}


@ExampleMetric
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


def f1(positive: Any) -> Metric:
    """Returns the metric F1 of the label `positive`, in a task of two labels.

    A prediction that is no label counts as the opposite of its target: a miss where the target is
    `positive`, a false alarm elsewhere. The labels are `positive` and those among the targets.
    """

    @ExampleMetric
    def f1(targets: Sequence[Any], predictions: Sequence[Any]) -> Scores:
        labels = {positive, *targets}

        def row(target: Any, guess: Any) -> tuple[bool, bool, bool]:
            if target == positive:
                return guess == positive, guess != positive, False
            return False, False, guess == positive or guess not in labels

        return {"f1": ExampleScores.of("f1", [row(*pair) for pair in pair_up(targets, predictions)])}

    f1.__doc__ = f"Returns the F1 score of the label {positive!r}."
    return f1


@ExampleMetric
def macro_f1(targets: Sequence[Any], predictions: Sequence[Any]) -> Scores:
    """Returns the mean of the F1 scores of all labels that occur among the targets (CB).

    A prediction that is no label is a miss of its target's label.
    """
    rows = _label_rows(list(dict.fromkeys(targets)), pair_up(targets, predictions))
    return {"macro_f1": ExampleScores("macro_f1", rows)}


@ExampleMetric
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
    return ExampleMetric(of_labels) if gives_scores else of_labels


def _matches(target: Any, guess: Any) -> bool:
    return guess in target if isinstance(target, list | tuple) else bool(target == guess)


def _label_rows(labels: Sequence[Any], pairs: Sequence[tuple[Any, Any]]) -> np.ndarray:
    """Returns hits, targets and predictions of each class, [examples, 3 * classes]; the last class is no label."""
    index = {label: i for i, label in enumerate(labels)}
    classes = np.array([[index.get(label, len(labels)) for label in pair] for pair in pairs], int).reshape(-1, 2)
    targets, guesses = np.eye(len(labels) + 1)[classes.T]
    return np.hstack([targets * guesses, targets, guesses])
