"""Metrics of likelihoods."""

import math

import pytest

from t5mix import metrics
from t5mix.metrics.likelihood import TextSize

SIZES = [TextSize(2, 8), TextSize(3, 12)]


def test_perplexity_and_bits_per_byte_by_hand():
    # Each token has the probability 1/4, so 2 bits: 10 bits of 20 bytes.
    scores = [2 * math.log(1 / 4), 3 * math.log(1 / 4)]
    assert metrics.perplexity(SIZES, scores) == {"perplexity": pytest.approx(4.0)}
    assert metrics.bits_per_byte(SIZES, scores) == {"bits_per_byte": pytest.approx(0.5)}


def test_a_certain_model_has_the_best_values():
    assert metrics.perplexity(SIZES, [0.0, 0.0]) == {"perplexity": metrics.perplexity.best}
    assert metrics.bits_per_byte(SIZES, [0.0, 0.0]) == {"bits_per_byte": metrics.bits_per_byte.best}


def test_an_impossible_target_leaves_a_number():
    assert math.isfinite(metrics.perplexity(SIZES, [-1e6, -math.inf])["perplexity"])
