"""From rows summed over examples to metrics: NumPy alone, so that a bootstrap takes many sums at once."""

from collections.abc import Callable

import numpy as np

_ROUNDING = 1e-12
_MOST_NATS = 700.0  # a token; the exponential of more is no float


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


def _chrf(sums: np.ndarray) -> np.ndarray:
    """Rows: for each order of n-grams those of the prediction, those of the reference, and those they share."""
    counts = sums.reshape(*sums.shape[:-1], sums.shape[-1] // 3, 3)
    guessed, true, shared = np.moveaxis(counts, -1, 0)
    defined = (guessed > 0) & (true > 0)
    orders = defined.sum(axis=-1)
    precision = _ratio((_ratio(shared, guessed) * defined).sum(axis=-1), orders)
    recall = _ratio((_ratio(shared, true) * defined).sum(axis=-1), orders)
    return 100 * _ratio(5 * precision * recall, 4 * precision + recall)  # recall counts twice: beta is 2


def _perplexity(sums: np.ndarray) -> np.ndarray:
    """Rows: [negative log-likelihood in nats, tokens]."""
    tokens = sums[..., 1]
    return np.where(tokens > 0, np.exp(np.minimum(_ratio(sums[..., 0], tokens), _MOST_NATS)), 0.0)


def _bits_per_byte(sums: np.ndarray) -> np.ndarray:
    """Rows: [negative log-likelihood in nats, bytes]."""
    return _ratio(sums[..., 0], sums[..., 1]) / np.log(2)


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
    "chrf": _chrf,
    "perplexity": _perplexity,
    "bits_per_byte": _bits_per_byte,
}
"""By kind: the metric of rows summed over examples, [..., k] -> [...]; on 0 to 100, but for perplexity and bits per
byte. 0 where it is undefined."""
