"""Metrics of numbers: Pearson's and Spearman's correlation."""

from collections.abc import Sequence

import numpy as np

from t5mix.metrics.example_scores import ExampleMetric, ExampleScores
from t5mix.metrics.pairs import Scores, pair_up


@ExampleMetric
def pearson(targets: Sequence[float], predictions: Sequence[float | None]) -> Scores:
    """Returns Pearson's correlation.

    A prediction that is no finite number (None, NaN) counts as the end of the targets' range that is farther
    from its target: as wrong as an answer in range can be.
    """
    return {"pearson": _correlation(*_numbers(targets, predictions))}


@ExampleMetric
def spearman(targets: Sequence[float], predictions: Sequence[float | None]) -> Scores:
    """Returns Spearman's rank correlation; ties share their mean rank, no number counts as in `pearson`.

    Its example scores hold the ranks among all examples: a bootstrap does not rank its draws anew.
    """
    from scipy.stats import rankdata

    true, guessed = _numbers(targets, predictions)
    return {"spearman": _correlation(rankdata(true), rankdata(guessed))}


def _numbers(targets: Sequence[float], predictions: Sequence[float | None]) -> tuple[np.ndarray, np.ndarray]:
    """Returns both as float arrays, what is no number replaced as `pearson` says."""
    pair_up(targets, predictions)
    true = np.asarray(targets, np.float64)
    guessed = np.array([np.nan if guess is None else guess for guess in predictions], np.float64)
    if len(true):
        low, high = true.min(), true.max()
        farthest = np.where(true - low > high - true, low, high)
        guessed = np.where(np.isfinite(guessed), guessed, farthest)
    return true, guessed


def _correlation(first: np.ndarray, second: np.ndarray) -> ExampleScores:
    x, y = _centred(first), _centred(second)
    return ExampleScores("pearson", np.column_stack([np.ones(len(x)), x, y, x * x, y * y, x * y]))


def _centred(values: np.ndarray) -> np.ndarray:
    """Returns the values up to an affine map that makes their squares fit to be summed.

    Scaling keeps the squares of absurdly large predictions finite. Around the median, which is at most one standard
    deviation from the mean, the mean square is at most twice the variance: little is lost where one becomes the other.
    """
    if len(values) == 0:
        return values
    scaled = values / (np.abs(values).max() or 1.0)
    return scaled - np.sort(scaled)[len(scaled) // 2]
