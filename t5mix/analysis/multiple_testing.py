"""Correction of p values for testing several hypotheses together."""

from collections.abc import Sequence

import numpy as np

from t5mix.errors import T5MixError


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Returns p values corrected for testing all of them (Holm 1979, the step-down procedure), in the same order.

    Rejecting those that are at most alpha keeps the probability of any false rejection at alpha or below, however the
    tests depend on each other.

    Raises:
        T5MixError: a p value is not between 0 and 1.
    """
    values = np.asarray(p_values, dtype=float)
    if not ((values >= 0) & (values <= 1)).all():
        raise T5MixError(f"p values lie between 0 and 1; got {values.tolist()}.")
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(stepped, 1)
    return corrected
