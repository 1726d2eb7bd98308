"""The metrics of one task of a run, from its examples and the predictions for them."""

from collections.abc import Mapping, Sequence
from typing import Any

from t5mix.errors import T5MixError
from t5mix.evaluation.predictions import Prediction
from t5mix.metrics.declared import Scoring
from t5mix.metrics.example_scores import ExampleScores, TaskEvaluation, evaluate_metric

Example = Mapping[str, Any]


def text_metrics(
    name: str, scoring: Scoring, examples: Sequence[Example], predictions: Sequence[Prediction]
) -> TaskEvaluation:
    """Returns the values of all metrics of a task whose metrics compare texts, and what each example adds to them.

    Args:
        name: the task.
        scoring: its post-processor and metrics.
        examples: its examples, with the text of the `targets`.
        predictions: one for each example, in the same order.

    Raises:
        T5MixError: the predictions do not belong to the examples, or two metrics give the same name.
    """
    check_alignment(name, len(examples), predictions)
    if not scoring.metrics:
        return TaskEvaluation({}, {})
    targets = [scoring.postprocess(example["targets"], example=example, is_target=True) for example in examples]
    outputs = [
        scoring.postprocess(prediction.prediction, example=example, is_target=False)
        for example, prediction in zip(examples, predictions, strict=True)
    ]
    return merged(name, [evaluate_metric(metric, targets, outputs) for metric in scoring.metrics])


def check_alignment(name: str, examples: int, predictions: Sequence[Prediction]) -> None:
    """Checks that there is a prediction for each of a task's examples, in their order.

    Raises:
        T5MixError: there is not.
    """
    if [prediction.index for prediction in predictions] != list(range(examples)):
        raise T5MixError(
            f"The task {name!r} has {examples} examples, and its {len(predictions)} predictions are not one "
            "for each in their order. They were made from other data: generate them again."
        )


def merged(name: str, evaluated: Sequence[tuple[Mapping[str, float], Mapping[str, ExampleScores]]]) -> TaskEvaluation:
    """Returns the values of all metrics of a task together.

    Raises:
        T5MixError: two of them have the same name.
    """
    metrics: dict[str, float] = {}
    for values, _ in evaluated:
        for key, value in values.items():
            if key in metrics:
                raise T5MixError(f"Two metrics of the task {name!r} give a value called {key!r}.")
            metrics[key] = value
    return TaskEvaluation(metrics, {key: scores for _, one in evaluated for key, scores in one.items()})
