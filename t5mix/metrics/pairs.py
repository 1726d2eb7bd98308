"""Targets beside predictions, as all metrics take them."""

from collections.abc import Sequence
from typing import Any

from t5mix.metrics.example_scores import ExampleScores

Scores = dict[str, ExampleScores]
"""What each example adds to a metric's values, by their names."""


def pair_up(targets: Sequence[Any], predictions: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Returns the pairs; raises ValueError where the numbers of targets and predictions differ."""
    return list(zip(targets, predictions, strict=True))


def as_answers(target: Any) -> list[str]:
    """Returns the answers or references that a target stands for: itself, or those it lists."""
    if isinstance(target, str):
        return [target]
    return list(target) or [""]


def matches(target: Any, guess: Any) -> bool:
    """Says whether a prediction is its target, or one of the answers that the target lists; no answer is ""."""
    if isinstance(target, list | tuple) and not isinstance(guess, list | tuple):
        return guess in as_answers(target)
    return bool(target == guess)
