"""Metrics of numbers: Pearson's and Spearman's correlation."""

import math
from collections.abc import Sequence

import numpy as np

from t5mix.errors import T5MixError
from t5mix.metrics.example_scores import ExampleScores, example_metric
from t5mix.metrics.pairs import Scores, pair_up

_Number = float | str


@example_metric
def pearson(targets: Sequence[_Number], predictions: Sequence[_Number | None]) -> Scores:
    """Returns Pearson's correlation of numbers, or of texts that read as numbers.

    A prediction that is no finite number (None, NaN) counts as the end of the targets' range that is farther
    from its target: as wrong as an answer in range can be.
    """
    return {"pearson": _correlation(*_numbers(targets, predictions))}


@example_metric
def spearman(targets: Sequence[_Number], predictions: Sequence[_Number | None]) -> Scores:
    """Returns Spearman's rank correlation; ties share their mean rank, no number counts as in `pearson`.

    Its example scores hold the ranks among all examples: a bootstrap does not rank its draws anew.
    """
    true, guessed = _numbers(targets, predictions)
    return {"spearman": _correlation(_ranks(true), _ranks(guessed))}


def as_number(value: _Number | None) -> float:
    """Returns what a number or its text stands for; NaN for everything else."""
    try:
        return math.nan if value is None else float(value)
    except ValueError:
        return math.nan


def _numbers(targets: Sequence[_Number], predictions: Sequence[_Number | None]) -> tuple[np.ndarray, np.ndarray]:
    """Returns both as float arrays, what is no number replaced as `pearson` says."""
    pair_up(targets, predictions)
    true = np.array([as_number(target) for target in targets], np.float64)
    if len(wrong := np.flatnonzero(~np.isfinite(true))):
        index = wrong[0]
        raise T5MixError(
            f"Example {index}: The target {targets[index]!r} is no number, and a correlation needs numbers."
        )
    guessed = np.array([as_number(guess) for guess in predictions], np.float64)
    if len(true):
        low, high = true.min(), true.max()
        farthest = np.where(true - low > high - true, low, high)
        guessed = np.where(np.isfinite(guessed), guessed, farthest)
    return true, guessed


def _correlation(first: np.ndarray, second: np.ndarray) -> ExampleScores:
    x, y = _centred(first), _centred(second)
    return ExampleScores("pearson", np.column_stack([np.ones(len(x)), x, y, x * x, y * y, x * y]))


def _ranks(values: np.ndarray) -> np.ndarray:
    """Returns the rank of each value, from 1; equal values share the mean of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[places]


def _centred(values: np.ndarray) -> np.ndarray:
    """Returns the values up to an affine map that makes their squares fit to be summed.

    Scaling keeps the squares of absurdly large predictions finite. Around the median, which is at most one standard
    deviation from the mean, the mean square is at most twice the variance: little is lost where one becomes the other.
    """
    if len(values) == 0:
        return values
    scaled = values / (np.abs(values).max() or 1.0)
    return scaled - np.sort(scaled)[len(scaled) // 2]
