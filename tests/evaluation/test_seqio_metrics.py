"""Metrics of seqio tasks, against seqio's own Evaluator."""

import math

import numpy as np
import pytest

from t5mix import metrics
from t5mix.errors import T5MixError
from t5mix.evaluation.predictions import Prediction
from t5mix.evaluation.seqio_metrics import task_metrics
from t5mix.metrics import postprocessors
from t5mix.tensorflow_setup import seqio, tf

VOCABULARY = seqio.ByteVocabulary()
ROWS = {"inputs": ["a", "b", "c"], "targets": ["yes", "no", "yes"], "answers": ["yes|||y", "no", "yes"]}


def mean_score(targets, scores):
    return {"mean_score": seqio.metrics.Scalar(float(np.mean(scores))), "text": seqio.metrics.Text("seen")}


def needs_aux(targets, predictions, aux_values):
    raise AssertionError("no auxiliary values are there")


def make_task(postprocess_fn=None, metric_fns=(), metric_objs=(), copy_pretokenized=True):
    def dataset(split, shuffle_files, seed=None):
        return tf.data.Dataset.from_tensor_slices(ROWS)

    return seqio.Task(
        "toy",
        source=seqio.FunctionDataSource(dataset, splits=["validation"]),
        output_features={
            name: seqio.Feature(VOCABULARY, add_eos=True, dtype=tf.int32) for name in ("inputs", "targets")
        },
        preprocessors=[
            lambda ds: seqio.preprocessors.tokenize(
                ds,
                {n: seqio.Feature(VOCABULARY) for n in ("inputs", "targets")},
                copy_pretokenized=copy_pretokenized,
            ),
            seqio.preprocessors.append_eos,
        ],
        postprocess_fn=postprocess_fn,
        metric_fns=list(metric_fns),
        metric_objs=list(metric_objs),
    )


def examples_of(task):
    lengths = {"inputs": 16, "targets": 16}
    return list(task.get_dataset(lengths, "validation", shuffle=False).as_numpy_iterator())


def predictions_of(texts, log_probs=(None, None, None)):
    return [
        Prediction(index, "", "", text, log_prob)
        for index, (text, log_prob) in enumerate(zip(texts, log_probs, strict=True))
    ]


@pytest.mark.parametrize("copy_pretokenized", [True, False])
def test_metrics_are_those_of_seqios_evaluator(copy_pretokenized):
    choose = postprocessors.label_choice(["yes", "no"])
    given = seqio.metrics.PassthroughLegacyMetric.from_metric_fn(metrics.exact_match, choose)
    task = make_task(choose, [metrics.f1("yes"), mean_score, metrics.accuracy], [given.empty()], copy_pretokenized)
    texts, log_probs = ["yes", "maybe", "no"], [-1.0, -2.0, -4.0]
    seqio.TaskRegistry.add_provider("toy", task)
    try:
        evaluator = seqio.Evaluator(
            "toy",
            seqio.EncDecFeatureConverter(pack=False),
            sequence_length={"inputs": 16, "targets": 16},
            async_compute_metrics=False,
        )
        tokens = seqio_tokens(texts)
        expected, _ = evaluator.evaluate(
            compute_metrics=True,
            predict_fn=lambda dataset: list(enumerate(tokens)),
            score_fn=lambda dataset: list(enumerate(log_probs)),
        )
    finally:
        seqio.TaskRegistry.remove("toy")
    values = expected.result()["toy"]
    evaluation = task_metrics(task, examples_of(task), predictions_of(texts, log_probs))
    got = evaluation.metrics
    assert got == {
        "f1": pytest.approx(values["f1"]),
        "accuracy": pytest.approx(values["accuracy"]),
        "exact_match": pytest.approx(values["exact_match"]),
        "mean_score": pytest.approx(values["mean_score"].value),
    }
    assert next(iter(got)) == "f1"
    assert got["accuracy"] == pytest.approx(100 / 3)
    # Of ours they are known, and of means: here of a function of scores and of a metric object.
    assert {name: scores.kind for name, scores in evaluation.examples.items()} == {
        "f1": "f1",
        "accuracy": "mean",
        "mean_score": "mean",
        "exact_match": "mean",
    }
    for name, scores in evaluation.examples.items():
        assert scores.value() == pytest.approx(got[name])


def seqio_tokens(texts):
    rows = np.zeros((len(texts), 16), np.int32)
    for row, text in zip(rows, texts, strict=True):
        tokens = [*VOCABULARY.encode(text), 1]
        row[: len(tokens)] = tokens
    return rows


def test_answers_come_from_the_example():
    task = make_task(postprocessors.answers("answers"), [metrics.squad])
    found = task_metrics(task, examples_of(task), predictions_of(["y", "no", "no"]))
    assert found.metrics["em"] == pytest.approx(200 / 3)
    assert found.examples["em"].rows.tolist() == [[1, 1], [1, 1], [0, 1]]


def test_what_examples_add_is_left_out_where_it_is_unknown():
    def yes_f1(targets, predictions):
        return {"yes_f1": metrics.f1("yes")(targets, predictions)["f1"]}

    def best_score(targets, scores):
        return {"best_score": max(scores)}

    choose = postprocessors.label_choice(["yes", "no"])
    given = seqio.metrics.PassthroughLegacyMetric.from_metric_fn(metrics.matthews, choose)
    task = make_task(choose, [yes_f1, metrics.accuracy, best_score], [given.empty()])
    found = task_metrics(task, examples_of(task), predictions_of(["yes", "yes", "no"], [-1.0, -2.0, -4.0]))
    assert found.metrics == {
        "yes_f1": pytest.approx(50.0),
        "accuracy": pytest.approx(100 / 3),
        "best_score": -1.0,
        "matthews": pytest.approx(-50.0),
    }
    assert list(found.examples) == ["accuracy"]
    assert found.headline == "yes_f1"


def test_a_score_metric_needs_log_likelihoods():
    task = make_task(metric_fns=[mean_score])
    with pytest.raises(T5MixError, match="score_targets"):
        task_metrics(task, examples_of(task), predictions_of(["a", "b", "c"], [-1.0, None, -2.0]))


def test_metrics_of_auxiliary_values_are_left_out(caplog):
    task = make_task(metric_fns=[metrics.accuracy, needs_aux])
    assert task_metrics(task, examples_of(task), predictions_of(ROWS["targets"])).metrics == {"accuracy": 100.0}
    assert "auxiliary" in caplog.text


@pytest.mark.parametrize("kept", [[0, 1], [1, 0, 2], [0, 1, 2, 2]])
def test_predictions_for_other_examples_are_refused(kept):
    task = make_task(metric_fns=[metrics.accuracy])
    made = predictions_of(["yes", "no", "yes"])
    with pytest.raises(T5MixError, match="3 examples"):
        task_metrics(task, examples_of(task), [made[index] for index in kept])


def test_two_values_of_one_name_are_refused():
    task = make_task(metric_fns=[metrics.accuracy, lambda targets, predictions: {"accuracy": math.nan}])
    with pytest.raises(T5MixError, match="'accuracy'"):
        task_metrics(task, examples_of(task), predictions_of(["yes", "no", "yes"]))
