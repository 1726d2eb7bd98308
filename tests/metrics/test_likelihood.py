"""Metrics of likelihoods."""

import math

import numpy as np
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


# Constrained choice -----------------------------------------------------------------------------------

CHOICES = ["no", "not at all", "yes"]
LOG_PROBS = np.log([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.2, 0.2, 0.1]])


def test_the_most_probable_label_is_chosen_and_the_first_of_equals():
    assert metrics.most_probable(CHOICES, LOG_PROBS) == ["no", "yes", "no"]
    assert metrics.most_probable(CHOICES, np.zeros((0, 3))) == []


@pytest.mark.parametrize("lengths", [[1, 3, 1], [[1, 3, 1]] * 3])
def test_likelihoods_by_token_do_not_favour_short_labels(lengths):
    # ln 0.3 / 3 is above ln 0.5, ln 0.2 / 3 below ln 0.7 and above ln 0.2.
    assert metrics.most_probable(CHOICES, LOG_PROBS, lengths) == ["not at all", "yes", "not at all"]


def test_the_accuracy_of_choices():
    targets = ["no", "yes", "yes"]
    plain = metrics.choice_accuracy(targets, CHOICES, LOG_PROBS)
    assert {name: scores.value() for name, scores in plain.items()} == {"choice_accuracy": pytest.approx(200 / 3)}
    assert plain["choice_accuracy"].rows[:, 0].tolist() == [1, 1, 0]
    by_token = metrics.choice_accuracy(targets, CHOICES, LOG_PROBS, [1, 3, 1])
    assert {name: scores.value() for name, scores in by_token.items()} == {
        "choice_accuracy_by_token": pytest.approx(100 / 3)
    }


def test_choices_serve_every_metric_of_labels():
    targets = ["no", "yes", "yes"]
    assert metrics.f1("yes")(targets, metrics.most_probable(CHOICES, LOG_PROBS)) == {"f1": pytest.approx(200 / 3)}


@pytest.mark.parametrize(
    ("choices", "log_probs", "lengths", "said"),
    [
        (CHOICES, LOG_PROBS[:, :2], None, r"shape \(3, 2\), and there are 3 labels"),
        (CHOICES, LOG_PROBS[0], None, "3 labels"),
        ([], np.zeros((2, 0)), None, "0 labels"),
        (CHOICES, np.full((1, 3), np.nan), None, "NaN"),
        (CHOICES, LOG_PROBS, [1, 2], r"lengths must be at least 1 and of the shape \(3, 3\) or \(3,\)"),
        (CHOICES, LOG_PROBS, [1, 0, 1], "lengths must be at least 1"),
    ],
)
def test_shapes_have_to_fit(choices, log_probs, lengths, said):
    with pytest.raises(ValueError, match=said):
        metrics.most_probable(choices, log_probs, lengths)


def test_targets_have_to_be_labels():
    with pytest.raises(ValueError, match="'maybe' is none of the labels 'no', 'not at all', 'yes'"):
        metrics.choice_accuracy(["no", "maybe", "yes"], CHOICES, LOG_PROBS)
