"""The metrics of a declared task, and what all tasks have in common: predictions that belong to the examples."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from t5mix.errors import T5MixError
from t5mix.evaluation.predictions import Prediction
from t5mix.metrics.example_scores import TaskEvaluation
from t5mix.metrics.scoring import Scoring

Fields = Mapping[str, Any]
"""An example as post-processors see it."""


def declared_metrics(
    name: str,
    scoring: Scoring,
    texts: Sequence[str],
    examples: Sequence[Fields],
    predictions: Sequence[Prediction],
    choices: Sequence[str] = (),
) -> TaskEvaluation:
    """Returns the values of all metrics of a declared task, and what each example adds to them.

    Args:
        name: the task.
        scoring: its post-processor and metrics.
        texts: the target texts.
        examples: its examples, with the fields that the post-processor looks at.
        predictions: one for each example, in the same order.
        choices: the labels whose likelihoods a metric compares, as targets write them.

    Raises:
        T5MixError: the predictions do not belong to the examples, or a metric needs log-likelihoods that they lack.
    """
    check_alignment(name, len(examples), predictions)
    return scoring.evaluate(
        texts,
        [prediction.prediction for prediction in predictions],
        examples,
        target_log_probs=target_scores(name, predictions) if "target_log_prob" in scoring.takes else (),
        choice_log_probs=choice_scores(name, choices, predictions) if "choice_log_probs" in scoring.takes else (),
    )


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


def target_scores(name: str, predictions: Sequence[Prediction]) -> list[float]:
    """Returns the log-likelihoods of the targets.

    Raises:
        T5MixError: they were not computed.
    """
    scores = [prediction.target_log_prob for prediction in predictions]
    computed = [score for score in scores if score is not None]
    if len(computed) < len(scores):
        raise T5MixError(
            f"A metric of the task {name!r} needs the targets' log-likelihoods, and its predictions hold none: "
            "write them with `target_log_probs` from `score_targets`."
        )
    return computed


def choice_scores(name: str, choices: Sequence[str], predictions: Sequence[Prediction]) -> np.ndarray:
    """Returns the log-likelihoods of a task's labels, [examples, labels].

    Raises:
        T5MixError: they were not computed, or of other labels.
    """
    rows = []
    for prediction in predictions:
        scores = prediction.choice_log_probs or {}
        if scores.keys() != set(choices):
            held = f"those of {', '.join(map(repr, scores))}" if scores else "none"
            raise T5MixError(
                f"A metric of the task {name!r} needs the log-likelihoods of its labels "
                f"{', '.join(map(repr, choices))}, and its predictions hold {held}: generate them again."
            )
        rows.append([scores[choice] for choice in choices])
    return np.array(rows, np.float64).reshape(len(rows), len(choices))
