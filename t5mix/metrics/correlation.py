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

    wanted, given = _numbers(targets, predictions)
    return {"spearman": _correlation(rankdata(wanted), rankdata(given))}


def _numbers(targets: Sequence[float], predictions: Sequence[float | None]) -> tuple[np.ndarray, np.ndarray]:
    """Returns both as float arrays, what is no number replaced as `pearson` says."""
    pair_up(targets, predictions)
    wanted = np.asarray(targets, np.float64)
    given = np.array([np.nan if guess is None else guess for guess in predictions], np.float64)
    if len(wanted):
        low, high = wanted.min(), wanted.max()
        farthest = np.where(wanted - low > high - wanted, low, high)
        given = np.where(np.isfinite(given), given, farthest)
    return wanted, given


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
