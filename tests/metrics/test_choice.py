"""Metrics of the most probable label."""

import numpy as np
import pytest

from t5mix import metrics

CHOICES = ["no", "not at all", "yes"]
LOG_PROBS = np.log([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.2, 0.2, 0.1]])
PLAIN = metrics.choice_accuracy.among(CHOICES, [1, 3, 1])
BY_TOKEN = metrics.choice_accuracy_by_token.among(CHOICES, [1, 3, 1])


def test_the_most_probable_label_is_chosen_and_the_first_of_equals():
    assert metrics.most_probable(CHOICES, LOG_PROBS) == ["no", "yes", "no"]
    assert metrics.most_probable(CHOICES, np.zeros((0, 3))) == []


@pytest.mark.parametrize("lengths", [[1, 3, 1], [[1, 3, 1]] * 3])
def test_likelihoods_by_token_do_not_favour_short_labels(lengths):
    # ln 0.3 / 3 is above ln 0.5, ln 0.2 / 3 below ln 0.7 and above ln 0.2.
    assert metrics.most_probable(CHOICES, LOG_PROBS, lengths) == ["not at all", "yes", "not at all"]


def test_the_accuracy_of_choices():
    targets = ["no", "yes", "yes"]
    assert PLAIN(targets, LOG_PROBS) == {"choice_accuracy": pytest.approx(200 / 3)}
    assert PLAIN.example_scores(targets, LOG_PROBS)["choice_accuracy"].rows[:, 0].tolist() == [1, 1, 0]
    assert BY_TOKEN(targets, LOG_PROBS) == {"choice_accuracy_by_token": pytest.approx(100 / 3)}
    assert PLAIN(targets, LOG_PROBS.tolist()) == PLAIN(targets, LOG_PROBS)


def test_a_model_that_has_diverged_is_wrong_even_if_the_first_label_is_right():
    broken = np.array([[np.nan, -1.0, -2.0], [np.nan] * 3, [-1.0, -2.0, -3.0]])
    assert PLAIN(["no", "no", "no"], broken) == {"choice_accuracy": pytest.approx(100 / 3)}


def test_labels_that_are_impossible_lose():
    assert PLAIN(["yes"], [[-np.inf, -np.inf, -900.0]]) == {"choice_accuracy": 100.0}


def test_a_perfect_model_is_certain_of_the_target():
    targets = ["yes", "no", "not at all"]
    for metric in (PLAIN, BY_TOKEN):
        log_probs = metric.perfect(targets, [])
        np.testing.assert_array_equal(np.exp(log_probs), [[0, 0, 1], [1, 0, 0], [0, 1, 0]])
        assert metric(targets, log_probs) == {metric.kind: 100.0}


def test_one_label_is_no_choice():
    assert "one label" in metrics.choice_accuracy.among(["yes"], [2]).doubt(["yes"])
    assert PLAIN.doubt(["yes", "no"]) == ""


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
        PLAIN(["no", "maybe", "yes"], LOG_PROBS)
