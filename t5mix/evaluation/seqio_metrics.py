"""The metrics of one seqio task. Targets and predictions are post-processed as `seqio.Evaluator` does it.

Loads TensorFlow.
"""

import functools
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from t5mix.errors import T5MixError
from t5mix.evaluation.predictions import Prediction
from t5mix.evaluation.task_metrics import Fields, check_alignment, target_scores
from t5mix.metrics.example_scores import ExampleMetric, ExampleScores, Metric, TaskEvaluation, evaluate_metric
from t5mix.tensorflow_setup import seqio

_log = logging.getLogger(__name__)


def task_metrics(task: seqio.Task, examples: Sequence[Fields], predictions: Sequence[Prediction]) -> TaskEvaluation:
    """Returns the values of all metrics of one task, and what each example adds to those of which that is known.

    It is known of ours, and of means over examples (see `evaluate_metric`).

    Args:
        task: the task; its metric functions may take (targets, predictions) or (targets, scores), and metric
            objects of seqio count too. Metrics that need auxiliary values are left out, with a warning.
        examples: its examples, as the task's data set gives them.
        predictions: one for each example, in the same order.

    Raises:
        T5MixError: the predictions do not belong to the examples, two metrics give the same name, or a
            metric needs the targets' log-likelihoods and there are none.
    """
    check_alignment(task.name, len(examples), predictions)
    targets = [
        task.postprocess_fn(_target_text(task, example), example=example, is_target=True) for example in examples
    ]
    outputs = [
        task.postprocess_fn(prediction.prediction, example=example, is_target=False)
        for example, prediction in zip(examples, predictions, strict=True)
    ]
    evaluated = [evaluate_metric(_plain(metric), targets, outputs) for metric in task.predict_metric_fns]
    if task.score_metric_fns:
        scores = target_scores(task.name, predictions)
        evaluated += [evaluate_metric(_plain(metric), targets, scores) for metric in task.score_metric_fns]
    if task.predict_with_aux_metric_fns:
        _log.warning("%s: metrics that need auxiliary values are left out.", task.name)
    # seqio appends the metric functions, wrapped, to the metric objects that the task was given.
    given = task.metric_objs[: len(task.metric_objs) - len(task.metric_fns)]
    objects = [functools.partial(_object_value, metric, task) for metric in given]
    evaluated += [evaluate_metric(_plain(metric), examples, predictions) for metric in objects]
    signatures: dict[str, str] = {}
    for metric in task.predict_metric_fns:
        if isinstance(metric, ExampleMetric):
            signatures |= metric.signatures(targets)
    return _merged(task.name, evaluated, signatures)


def _target_text(task: seqio.Task, example: Fields) -> str:
    """Returns the target before it was tokenised, where the task kept it: uncut."""
    if "targets_pretokenized" in example:
        text = example["targets_pretokenized"]
    else:
        tokens = np.asarray(example["targets"]).tolist()
        text = task.output_features["targets"].vocabulary.decode(tokens)
    return text.decode("utf-8") if isinstance(text, bytes) else str(text)


def _object_value(
    metric: Any, task: seqio.Task, examples: Sequence[Fields], predictions: Sequence[Prediction]
) -> Mapping[str, Any]:
    """Returns the values of a seqio metric object, which takes predictions as text."""
    kind = seqio.metrics.ModelOutputType(metric.model_output_type)
    if kind == seqio.metrics.ModelOutputType.SCORE:
        output = np.array(target_scores(task.name, predictions))
    elif kind == seqio.metrics.ModelOutputType.PREDICTION:
        output = np.array([prediction.prediction for prediction in predictions])
    else:
        _log.warning("%s: a metric object that needs %s is left out.", task.name, kind.name)
        return {}
    computed = metric.from_model_output(examples, output, task.output_features, "targets")
    if isinstance(computed, seqio.metrics.CollectingMetric):
        return computed.actual_compute(examples, task.output_features, "targets")[0]
    return computed.compute()


def _plain(metric: Any) -> Metric:
    """Returns a metric whose values are numbers; others (texts, images) are for loggers, and go."""
    if isinstance(metric, ExampleMetric):
        return metric

    def numbers(targets: Sequence[Any], outputs: Sequence[Any]) -> dict[str, float]:
        kept = {}
        for name, value in metric(targets, outputs).items():
            if isinstance(value, seqio.metrics.Scalar):
                kept[name] = float(value.value)
            elif not isinstance(value, seqio.metrics.MetricValue):
                kept[name] = float(value)
        return kept

    return numbers


def _merged(
    name: str,
    evaluated: Sequence[tuple[Mapping[str, float], Mapping[str, ExampleScores]]],
    signatures: Mapping[str, str],
) -> TaskEvaluation:
    """Returns the values of all metrics together."""
    metrics: dict[str, float] = {}
    for values, _ in evaluated:
        for key, value in values.items():
            if key in metrics:
                raise T5MixError(f"Two metrics of the task {name!r} give a value called {key!r}.")
            metrics[key] = value
    return TaskEvaluation(metrics, {key: scores for _, one in evaluated for key, scores in one.items()}, signatures)
