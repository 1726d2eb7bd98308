"""What examples add to metrics: any resampling's metric follows from sums."""

import copy
import inspect
import json
import math
import pickle
import random
import subprocess
import sys
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from t5mix import metrics
from t5mix.errors import UnknownNameError
from t5mix.metrics.example_scores import REDUCERS, ExampleMetric, ExampleScores, TaskEvaluation, evaluate_metric
from t5mix.metrics.likelihood import TextSize
from t5mix.metrics.postprocessors import INVALID

WORDS = ["the", "cat", "sat.", "on", "a", "mat,", "and", "slept"]


@dataclass
class Case:
    """A metric with random examples.

    Attributes:
        metric: the metric.
        targets: of the examples.
        predictions: of the examples.
        kept: how many of the first examples a draw has to hold for what the metric takes from all examples together,
            such as their labels, to be the same in it.
    """

    metric: Any
    targets: list[Any]
    predictions: list[Any]
    kept: int = 0

    def drawn(self, seed: int) -> np.ndarray:
        places = np.random.default_rng(seed).integers(len(self.targets), size=len(self.targets) - self.kept)
        return np.append(np.arange(self.kept), places)

    def of(self, places) -> dict[str, float]:
        return self.metric([self.targets[i] for i in places], [self.predictions[i] for i in places])


def labels(metric, names, kept=0):
    rng = random.Random(len(names))
    targets = names + rng.choices(names, k=60)
    guesses = [target if rng.random() < 0.5 else rng.choice([*names, INVALID, "gibberish"]) for target in targets]
    return Case(metric, targets, guesses, kept)


def grouped(metric, kept=0):
    case = labels(metric, ["False", "True"], kept)
    targets = [{"group": f"question {i % 30}", "label": label} for i, label in enumerate(case.targets)]
    return Case(metric, targets, case.predictions, kept)


def numbers(metric):
    rng = np.random.default_rng(3)
    targets = np.append([0.0, 5.0], np.round(rng.uniform(0, 5, 80) * 5) / 5)
    guesses = [None if i % 9 == 0 else math.nan if i % 11 == 0 else x + rng.normal() for i, x in enumerate(targets)]
    return Case(metric, targets.tolist(), guesses, kept=2)


def texts(metric, references=None, words=12):
    rng = random.Random(5)

    def text():
        return " ".join(rng.choices(WORDS, k=rng.randrange(words)))

    targets = [text() if references is None else [text() for _ in range(rng.randrange(references))] for _ in range(40)]
    guesses = []
    for target in targets:
        known = target if isinstance(target, str) else rng.choice([*target, ""])
        guesses.append(text() if rng.random() < 0.3 else known + " and " + text())
    return Case(metric, targets, guesses)


def likelihoods(metric):
    rng = np.random.default_rng(4)
    sizes = [TextSize(int(tokens), int(4 * tokens)) for tokens in rng.integers(1, 30, 60)]
    return Case(metric, sizes, [-float(size.tokens * rng.exponential()) for size in sizes])


def choices(metric):
    names, rng = ["a", "b", "c"], np.random.default_rng(6)
    return Case(metric.among(names, [1, 2, 5]), rng.choice(names, 60).tolist(), rng.normal(-3, 1, (60, 3)).tolist())


CASES = {
    "accuracy": labels(metrics.accuracy, ["a", "b", "c"]),
    "exact_match": labels(metrics.exact_match, ["a", "b", "c"]),
    "matthews, two labels": labels(metrics.matthews, ["a", "b"]),
    "matthews, four labels": labels(metrics.matthews, ["a", "b", "c", "d"], kept=4),
    "f1": labels(metrics.f1("a"), ["b", "a"]),
    "macro_f1": labels(metrics.macro_f1, ["a", "b", "c"]),
    "macro_f1, rare labels": labels(metrics.macro_f1, [f"label {i}" for i in range(50)]),
    "f1 on labels": grouped(metrics.on_labels(metrics.f1("True"))),
    "group_exact_match": grouped(metrics.group_exact_match),
    "pearson": numbers(metrics.pearson),
    "spearman": numbers(metrics.spearman),
    "squad": texts(metrics.squad, references=4),
    "trivia_qa": texts(metrics.trivia_qa, references=4),
    "token_f1": texts(metrics.token_f1, references=4),
    "bleu": texts(metrics.bleu),
    "bleu, characters": texts(metrics.Bleu(tokenize="char")),
    "bleu, several references": texts(metrics.bleu, references=4),
    "bleu, short": texts(metrics.bleu, words=3),
    "chrf": texts(metrics.chrf),
    "chrf++, several references": texts(metrics.ChrF(word_order=2), references=4),
    "rouge": texts(metrics.rouge),
    "rouge, several references": texts(metrics.Rouge(tokenizer="unicode"), references=4),
    "perplexity": likelihoods(metrics.perplexity),
    "bits_per_byte": likelihoods(metrics.bits_per_byte),
    "choice_accuracy": choices(metrics.choice_accuracy),
    "choice_accuracy_by_token": choices(metrics.choice_accuracy_by_token),
}


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


@pytest.fixture(params=[name for name in CASES if name not in ("spearman", "group_exact_match")])
def drawable(request):
    return CASES[request.param]


def through_json(scores):
    return ExampleScores.from_json(json.loads(json.dumps(scores.to_json())))


def test_every_metric_has_a_case():
    assert {case.metric.__name__ for case in CASES.values()} == {*metrics.METRICS, "f1"}


def test_the_sums_give_the_metric(case):
    values, examples = evaluate_metric(case.metric, case.targets, case.predictions)
    assert values == case.metric(case.targets, case.predictions)
    assert any(0 < abs(value) < 100 for value in values.values())
    assert list(values) == list(examples)
    for name, scores in examples.items():
        assert scores.value() == values[name]
        read = through_json(scores)
        assert (read.kind, read.rows.dtype) == (scores.kind, np.float64)
        np.testing.assert_array_equal(read.rows, scores.rows)


def test_a_draw_is_the_metric_of_the_drawn_examples(drawable):
    examples = drawable.metric.example_scores(drawable.targets, drawable.predictions)
    for seed in range(50):
        places = drawable.drawn(seed)
        expected = drawable.of(places)
        for name, scores in examples.items():
            sums = scores.rows[places].sum(axis=0)
            assert REDUCERS[scores.kind](sums) == pytest.approx(expected[name], rel=1e-9, abs=1e-9)


def test_reducers_take_many_sums_at_once(case):
    counts = np.random.default_rng(0).integers(3, size=(2, 3, len(case.targets)))
    counts[1, 2] = 0  # nothing drawn
    for scores in case.metric.example_scores(case.targets, case.predictions).values():
        sums = counts[..., : len(scores.rows)] @ scores.rows
        together = REDUCERS[scores.kind](sums)
        assert together.shape == (2, 3)
        alone = [[float(REDUCERS[scores.kind](each)) for each in some] for some in sums]
        np.testing.assert_array_equal(together, alone)
        assert together[1, 2] == 0.0


def test_no_examples(case):
    _, examples = evaluate_metric(case.metric, [], [])
    for scores in examples.values():
        assert len(scores.rows) == 0
        assert scores.value() == through_json(scores).value() == 0.0


@pytest.mark.parametrize("name", ["matthews", "macro_f1", "f1:a"])
@pytest.mark.parametrize("guess", ["a", "b", INVALID])
def test_draws_of_constant_predictions(name, guess):
    constant = Case(metrics.metric(name), ["a", "b", "a", "b", "b"], [guess] * 5)
    (scores,) = constant.metric.example_scores(constant.targets, constant.predictions).values()
    for seed in range(20):
        places = constant.drawn(seed)
        (expected,) = constant.of(places).values()
        assert REDUCERS[scores.kind](scores.rows[places].sum(axis=0)) == pytest.approx(expected)


def test_units_of_groups_are_the_groups():
    case = CASES["group_exact_match"]
    (scores,) = case.metric.example_scores(case.targets, case.predictions).values()
    assert len(scores.rows) == 30
    drawn = np.random.default_rng(0).integers(30, size=30)
    targets, predictions = [], []
    for draw, group in enumerate(drawn):
        for target, guess in zip(case.targets, case.predictions, strict=True):
            if target["group"] == f"question {group}":
                targets.append({**target, "group": draw})
                predictions.append(guess)
    expected = metrics.group_exact_match(targets, predictions)["group_exact_match"]
    assert REDUCERS["mean"](scores.rows[drawn].sum(axis=0)) == pytest.approx(expected)


def test_ranks_are_not_drawn_anew():
    from scipy.stats import rankdata

    targets, predictions = [1.0, 4.0, 2.0, 5.0, 3.5], [2.0, 1.0, 2.5, 9.0, 30.0]
    scores = metrics.spearman.example_scores(targets, predictions)["spearman"]
    places = [0, 0, 2, 3, 4]
    expected = metrics.pearson(rankdata(targets)[places], rankdata(predictions)[places])["pearson"]
    assert REDUCERS[scores.kind](scores.rows[places].sum(axis=0)) == pytest.approx(expected)
    drawn_anew = metrics.spearman([targets[i] for i in places], [predictions[i] for i in places])["spearman"]
    assert expected != pytest.approx(drawn_anew)


@pytest.mark.parametrize("references", [None, 4])
@pytest.mark.parametrize("words", [3, 5, 12])
def test_bleu_of_draws_is_sacrebleus(references, words):
    import sacrebleu

    case = texts(metrics.bleu, references, words)
    scores = metrics.bleu.example_scores(case.targets, case.predictions)["bleu"]
    found = set()
    for seed in range(40):
        places = case.drawn(seed)[:6]  # few enough for orders without a match
        targets = [case.targets[i] for i in places]
        lists = [[target] if isinstance(target, str) else target or [""] for target in targets]
        streams = [[each[n] if n < len(each) else None for each in lists] for n in range(max(map(len, lists)))]
        guesses = [case.predictions[i] for i in places]
        expected = sacrebleu.corpus_bleu(guesses, streams, tokenize="intl", force=True).score
        assert REDUCERS["bleu"](scores.rows[places].sum(axis=0)) == pytest.approx(expected, rel=1e-9, abs=1e-9)
        found.add(round(expected, 6))
    assert len(found) > (1 if words == 3 else 30)


@pytest.mark.parametrize("matches", [[9, 7, 5, 3], [9, 7, 0, 0], [9, 0, 5, 0], [0, 0, 0, 0]])
@pytest.mark.parametrize("ngrams", [[20, 18, 16, 14], [20, 18, 16, 0], [0, 0, 0, 0]])
@pytest.mark.parametrize("reference", [0, 10, 20, 30])
def test_bleu_of_sums_is_sacrebleus(matches, ngrams, reference):
    import sacrebleu

    matches = [min(pair) for pair in zip(matches, ngrams, strict=True)]
    score = sacrebleu.BLEU.compute_bleu(list(matches), list(ngrams), ngrams[0], reference, smooth_method="exp")
    assert REDUCERS["bleu"](np.array([ngrams[0], reference, *matches, *ngrams])) == pytest.approx(score.score)


def test_correlations_far_from_zero_and_with_absurd_predictions_keep_their_digits():
    rng = np.random.default_rng(1)
    near = rng.normal(size=200)
    case = Case(metrics.pearson, list(near + rng.normal(size=200)), list(near))
    expected = metrics.pearson(case.targets, case.predictions)["pearson"]
    far = metrics.pearson([x + 1e6 for x in case.targets], [x - 1e6 for x in case.predictions])["pearson"]
    assert far == pytest.approx(expected, rel=1e-9)
    absurd = [*case.predictions[:-1], 3e9]
    scores = metrics.pearson.example_scores(case.targets, absurd)["pearson"]
    without = metrics.pearson(case.targets[:-1], absurd[:-1])["pearson"]
    assert REDUCERS["pearson"](scores.rows[:-1].sum(axis=0)) == pytest.approx(without, rel=1e-6)


def test_a_draw_of_equal_values_has_no_correlation():
    targets, predictions = [0.1, 0.1, 0.7, 0.3], [0.7, 0.2, 0.3, 0.9]
    scores = metrics.pearson.example_scores(targets, predictions)["pearson"]
    for count in range(1, 50):
        for place in range(4):
            assert REDUCERS["pearson"](sum(scores.rows[place] for _ in range(count))) == 0.0
        assert REDUCERS["pearson"](count * scores.rows[0] + 3 * scores.rows[1]) == 0.0


@pytest.mark.parametrize(("kind", "k"), [("mean", 2), ("f1", 3), ("macro_f1", 9), ("matthews", 9), ("pearson", 6)])
def test_sums_of_nothing_are_zero_without_a_warning(kind, k):
    assert REDUCERS[kind](np.zeros(k)) == 0.0


def test_json_is_short_where_it_can_be():
    scores = ExampleScores.of_means([1.0, 0.0, 0.5, 1 / 3])
    assert json.dumps(scores.to_json()) == (
        '{"kind": "mean", "rows": [[1, 1], [0, 1], [0.5, 1], [0.3333333333333333, 1]]}'
    )


def test_an_unknown_kind_is_refused():
    with pytest.raises(UnknownNameError, match=r"kind of example scores 'means'.*'mean'"):
        ExampleScores.from_json({"kind": "means", "rows": []})


# Metrics of one's own ---------------------------------------------------------------------------------


def mean_length(targets, predictions):
    return {"length": float(np.mean([len(guess) for guess in predictions])), "answers": float(len(targets))}


def own_f1(targets, predictions):
    hits = sum(target == guess == "yes" for target, guess in zip(targets, predictions, strict=True))
    return {"f1": 200 * hits / (targets.count("yes") + predictions.count("yes"))}


TARGETS = ["yes", "no", "yes", "yes", "no", "no", "yes"]
PREDICTIONS = ["yes", "no", "no", "yes", "yes", INVALID, "yes"]


def test_a_mean_is_found_and_keeps_its_unit():
    values, examples = evaluate_metric(mean_length, TARGETS, PREDICTIONS)
    assert values == {"length": pytest.approx(26 / 7), "answers": 7.0}
    assert list(examples) == ["length"]
    assert examples["length"].kind == "mean"
    assert examples["length"].value() == pytest.approx(26 / 7)
    np.testing.assert_allclose(100 * examples["length"].rows[:, 0], [len(guess) for guess in PREDICTIONS])


def test_what_is_no_mean_or_fails_on_few_examples_is_left_out():
    assert evaluate_metric(own_f1, TARGETS, PREDICTIONS) == ({"f1": pytest.approx(75.0)}, {})
    with pytest.raises(ZeroDivisionError):
        own_f1(TARGETS[1:2], PREDICTIONS[1:2])

    def alike_in_halves(targets, predictions):
        return {"value": 0.0 if len(targets) > 1 else 1.0}

    def undefined(targets, predictions):
        return {"value": math.nan, "infinite": math.inf}

    def sometimes(targets, predictions):
        return {"value": 1.0} if len(targets) > 1 else {}

    for metric in (alike_in_halves, undefined, sometimes):
        values, examples = evaluate_metric(metric, TARGETS, PREDICTIONS)
        assert list(values) == list(metric(TARGETS, PREDICTIONS))
        assert examples == {}


def test_warnings_of_single_examples_are_nobodys_concern():
    def warns(targets, predictions):
        if len(targets) == 1:
            warnings.warn("one example is not enough", UserWarning, stacklevel=1)
        return {"accuracy": metrics.accuracy(targets, predictions)["accuracy"]}

    _, examples = evaluate_metric(warns, TARGETS, PREDICTIONS)
    assert examples["accuracy"].rows[:, 0].tolist() == [1, 1, 0, 1, 0, 0, 1]


def test_an_error_on_all_examples_is_the_metrics_own():
    def fails(targets, predictions):
        raise OSError("no such file")

    with pytest.raises(OSError, match="no such file"):
        evaluate_metric(fails, TARGETS, PREDICTIONS)


def test_a_metric_of_ones_own_on_labels():
    targets = [{"group": "q", "label": label} for label in TARGETS]
    metric = metrics.on_labels(mean_length)
    assert not isinstance(metric, ExampleMetric)
    assert metric.__name__ == "mean_length"
    assert evaluate_metric(metric, targets, PREDICTIONS)[0] == mean_length(TARGETS, PREDICTIONS)


def test_a_metric_of_ours_passes_for_a_function():
    assert list(inspect.signature(metrics.bleu).parameters) == ["targets", "predictions"]
    assert metrics.accuracy.__doc__ == (
        "Returns the percentage of predictions that equal their target, or one of them where it is a list."
    )
    assert metrics.f1("a").__doc__ == "Returns the F1 score of the label 'a'."
    assert pickle.loads(pickle.dumps(metrics.accuracy)) is metrics.accuracy
    assert copy.deepcopy(metrics.accuracy) is metrics.accuracy
    assert pickle.loads(pickle.dumps(metrics.perplexity)) is metrics.perplexity
    assert pickle.loads(pickle.dumps(metrics.ChrF(word_order=2))) == metrics.ChrF(word_order=2) != metrics.chrf


# Tasks ------------------------------------------------------------------------------------------------


def test_an_evaluation_comes_back_from_json():
    scores = ExampleScores.of_means([1, 0])
    signatures = {"f1": "nrefs:1"}
    evaluation = TaskEvaluation(
        {"loss": 1.5, "token_accuracy": 70.0, "f1": 60.0, "em": 50.0}, {"em": scores}, signatures
    )
    assert evaluation.headline == "f1"
    raw = json.loads(json.dumps(evaluation.to_json()))
    assert (raw["headline"], raw["examples"]) == ("f1", {"em": {"kind": "mean", "rows": [[1, 1], [0, 1]]}})
    read = TaskEvaluation.from_json(raw)
    assert list(read.metrics.items()) == list(evaluation.metrics.items())
    np.testing.assert_array_equal(read.examples["em"].rows, scores.rows)
    assert read.signatures == signatures
    del raw["signatures"]  # as evaluations were written before there were any
    assert TaskEvaluation.from_json(raw).signatures == {}


def test_a_task_without_metrics_has_no_headline():
    assert TaskEvaluation({"loss": 1.5, "token_accuracy": 70.0, "perplexity": 4.5}).headline is None


def test_rows_are_read_without_what_made_them():
    code = "import sys, t5mix.metrics.example_scores; assert not {'jax', 'tensorflow', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
