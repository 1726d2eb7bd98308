"""Task metrics against scikit-learn, SciPy and values computed by hand."""

import math

import numpy as np
import pytest

from t5mix import metrics
from t5mix.errors import T5MixError, UnknownNameError
from t5mix.metrics.postprocessors import INVALID


def random_labels(labels, count, seed):
    return [str(label) for label in np.random.default_rng(seed).choice(labels, count)]


@pytest.mark.parametrize("labels", [["yes", "no"], ["a", "b", "c"]])
def test_label_metrics_agree_with_scikit_learn(labels):
    from sklearn import metrics as sk

    targets, predictions = random_labels(labels, 200, 1), random_labels(labels, 200, 2)
    expected = {
        "accuracy": sk.accuracy_score(targets, predictions),
        "matthews": sk.matthews_corrcoef(targets, predictions),
        "macro_f1": sk.f1_score(targets, predictions, average="macro"),
    }
    for name, value in expected.items():
        assert metrics.metric(name)(targets, predictions) == {name: pytest.approx(100 * value)}
    if len(labels) == 2:
        value = sk.f1_score(targets, predictions, pos_label="yes")
        assert metrics.f1("yes")(targets, predictions) == {"f1": pytest.approx(100 * value)}


def test_no_label_counts_as_the_opposite_in_binary_f1_and_matthews():
    targets = ["yes", "yes", "yes", "no", "no", "no"]
    with_invalid = ["yes", INVALID, "no", "no", INVALID, "yes"]
    all_wrong = ["yes", "no", "no", "no", "yes", "yes"]
    for metric in (metrics.f1("yes"), metrics.f1("no"), metrics.matthews):
        assert metric(targets, with_invalid) == metric(targets, all_wrong)
    # One hit, two misses, two false alarms.
    assert metrics.f1("yes")(targets, with_invalid) == {"f1": pytest.approx(100 * 2 / 6)}


def test_no_label_is_a_class_of_its_own_among_several():
    from sklearn.metrics import f1_score, matthews_corrcoef

    targets = ["a", "b", "c", "a", "b", "c"]
    predictions = ["a", INVALID, "c", "a", "b", "gibberish"]
    one_class = ["a", INVALID, "c", "a", "b", INVALID]
    assert metrics.matthews(targets, predictions)["matthews"] == pytest.approx(
        100 * matthews_corrcoef(targets, one_class)
    )
    assert metrics.macro_f1(targets, predictions)["macro_f1"] == pytest.approx(
        100 * f1_score(targets, one_class, average="macro", labels=["a", "b", "c"])
    )


@pytest.mark.parametrize("metric", [metrics.matthews, metrics.f1("yes"), metrics.macro_f1, metrics.accuracy])
@pytest.mark.parametrize("prediction", ["no", INVALID])
@pytest.mark.parametrize("targets", [["yes"] * 4, []])
def test_degenerate_labels_give_zero(metric, prediction, targets):
    (value,) = metric(targets, [prediction] * len(targets)).values()
    assert value == 0.0


def test_matthews_of_constant_predictions_is_zero_and_of_right_ones_is_100():
    assert metrics.matthews(["a", "b", "a"], ["a", "a", "a"]) == {"matthews": 0.0}
    assert metrics.matthews(["a", "b", "a"], ["a", "b", "a"]) == {"matthews": pytest.approx(100.0)}
    assert metrics.matthews(["a", "b", "a"], [INVALID] * 3) == {"matthews": pytest.approx(-100.0)}


def test_correlations_agree_with_scipy():
    from scipy import stats

    rng = np.random.default_rng(3)
    targets = np.round(rng.uniform(0, 5, 100) * 5) / 5  # with ties, as in STS-B
    predictions = np.round((targets + rng.normal(0, 1, 100)) * 5) / 5
    assert metrics.pearson(list(targets), list(predictions))["pearson"] == pytest.approx(
        100 * stats.pearsonr(targets, predictions)[0]
    )
    assert metrics.spearman(list(targets), list(predictions))["spearman"] == pytest.approx(
        100 * stats.spearmanr(targets, predictions)[0]
    )


@pytest.mark.parametrize("metric", [metrics.pearson, metrics.spearman])
def test_a_prediction_that_is_no_number_counts_as_the_far_end(metric):
    targets = [0.0, 1.0, 4.0, 5.0]
    for nothing in (math.nan, None, math.inf):
        assert metric(targets, [nothing, 1.0, nothing, 5.0]) == metric(targets, [5.0, 1.0, 0.0, 5.0])


@pytest.mark.parametrize("metric", [metrics.pearson, metrics.spearman])
@pytest.mark.parametrize(
    ("targets", "predictions"),
    [([1.0, 2.0], [3.0, 3.0]), ([2.0, 2.0], [1.0, 3.0]), ([1.0], [1.0]), ([], []), ([1.0, 1.0], [None, None])],
)
def test_degenerate_correlations_give_zero(metric, targets, predictions):
    assert list(metric(targets, predictions).values()) == [0.0]


def test_an_absurdly_large_prediction_neither_warns_nor_gives_nan():
    assert math.isfinite(metrics.pearson([1.0, 2.0, 3.0], [1.0, 1e308, -1e308])["pearson"])


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("The  Cat, sat!", "cat sat"),
        ("an apple a day", "apple day"),
        ("U.S.A.", "usa"),
        ("Another theatre", "another theatre"),
        ("the", ""),
        (" well-known ", "wellknown"),
    ],
)
def test_squad_normalisation(text, normal):
    assert metrics.normalize_answer(text) == normal


def test_squad_takes_the_best_answer():
    targets = [["the Eiffel Tower", "Tower"], ["1867"], ["in the blue house"]]
    predictions = ["eiffel tower.", "1868", "blue house now"]
    # Token F1 of the last: two common tokens of three (in blue house) and three (blue house now).
    assert metrics.squad(targets, predictions) == {
        "em": pytest.approx(100 / 3),
        "f1": pytest.approx(100 * (1 + 0 + 2 / 3) / 3),
    }


def test_squad_counts_repeated_tokens_once_each():
    # Common tokens: b once; precision 1/3, recall 1.
    assert metrics.squad([["b"]], ["b b b"])["f1"] == pytest.approx(50.0)


def test_squad_without_answers_is_matched_by_nothing():
    assert metrics.squad([[], []], ["", "x"]) == {"em": 50.0, "f1": 50.0}


def test_trivia_qa_makes_punctuation_a_space():
    assert metrics.trivia_qa([["Jean-Luc"]], ["jean luc"])["em"] == 100.0
    assert metrics.squad([["Jean-Luc"]], ["jean luc"])["em"] == 0.0
    assert metrics.trivia_qa([["rock n roll"]], ["rock \u2018n\u2019 roll"])["em"] == 100.0


def test_exact_match_takes_one_target_or_several():
    assert metrics.exact_match(["a", ["b", "c"], ["d"]], ["a", "c", "e"]) == {"exact_match": pytest.approx(200 / 3)}


def test_group_exact_match_needs_the_whole_group():
    targets = [{"group": g, "label": la} for g, la in [("q1", "True"), ("q1", "False"), ("q2", "True")]]
    predictions = ["True", "True", "True"]
    assert metrics.group_exact_match(targets, predictions) == {"group_exact_match": 50.0}
    on_labels = metrics.on_labels(metrics.f1("True"))
    assert on_labels(targets, predictions) == {"f1": pytest.approx(80.0)}
    assert on_labels.__name__ == "f1"


def test_bleu_is_sacrebleus():
    import sacrebleu

    targets = ["The cat sat on the mat .", "It is raining \u201ctoday\u201d in Berlin."]
    predictions = ["The cat sat on a mat .", "It rains \u201ctoday\u201d in Berlin."]
    expected = sacrebleu.BLEU(smooth_method="exp", tokenize="intl").corpus_score(predictions, [targets])
    assert metrics.bleu(targets, predictions) == {"bleu": pytest.approx(expected.score)}
    assert metrics.bleu(targets, targets) == {"bleu": pytest.approx(100.0)}


def test_bleu_with_several_references():
    targets = [["a b c d e", "v w x y z"], ["one two three four five"]]
    assert metrics.bleu(targets, ["v w x y z", "one two three four five"])["bleu"] == pytest.approx(100.0)


@pytest.mark.parametrize("predictions", [["", ""], []])
def test_bleu_of_nothing_is_zero(predictions):
    assert metrics.bleu(["a b c d", "e f g h"][: len(predictions)], predictions) == {"bleu": 0.0}


def test_rouge_by_hand():
    scores = metrics.rouge(["a b c d"], ["a b d c"])
    # Bigrams: only "a b" is common, of three each. Longest common subsequence: three of four.
    assert scores["rouge2"] == pytest.approx(100 / 3)
    assert scores["rouge1"] == pytest.approx(100.0)
    assert scores["rougeL"] == pytest.approx(75.0)
    assert next(iter(scores)) == "rouge2"
    assert set(metrics.rouge([], []).values()) == {0.0}


def test_rouge_lsum_takes_sentences_one_by_one():
    scores = metrics.rouge(["one two . three four ."], ["three four . one two ."])
    assert scores["rougeLsum"] == pytest.approx(100.0)
    assert scores["rougeL"] == pytest.approx(50.0)


def test_different_numbers_of_targets_and_predictions_are_refused():
    for name in ("accuracy", "matthews", "macro_f1", "pearson", "squad", "bleu", "rouge"):
        with pytest.raises(ValueError, match="zip"):
            metrics.metric(name)([], ["1"])


def test_names():
    assert all(function.__name__ == name for name, function in metrics.METRICS.items())
    assert metrics.metric("f1:equivalent").__name__ == "f1"
    assert metrics.metric("f1:a:b")(["a:b"], ["a:b"]) == {"f1": 100.0}
    with pytest.raises(UnknownNameError, match="Did you mean 'accuracy'"):
        metrics.metric("acuracy")
    with pytest.raises(T5MixError, match="f1:equivalent"):
        metrics.metric("f1")
