"""Scoring a task: post-processing and metrics together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from t5mix.errors import T5MixError
from t5mix.metrics.example_scores import ExampleMetric, ExampleScores, Takes, TaskEvaluation
from t5mix.metrics.postprocessors import Postprocessor, Trip, unchanged


@dataclass(frozen=True)
class Scoring:
    """What a task's predictions are scored with.

    Attributes:
        postprocess: from text to what the metrics compare.
        metrics: the metrics; the first holds the headline.
        trip: takes a text once through the vocabulary and back.
    """

    postprocess: Postprocessor
    metrics: tuple[ExampleMetric, ...]
    trip: Trip = unchanged

    @property
    def takes(self) -> frozenset[Takes]:
        """What the metrics take of a model."""
        return frozenset(metric.takes for metric in self.metrics)

    def targets(self, texts: Iterable[str], examples: Iterable[Mapping[str, Any]]) -> list[Any]:
        """Returns what metrics take as targets.

        Args:
            texts: the target texts.
            examples: theirs, with the fields that the post-processor looks at.

        Raises:
            T5MixError: a target is none of the task's labels, or not a number where it has to be; the text begins with
                the example.
        """
        targets = []
        for index, (text, example) in enumerate(zip(texts, examples, strict=True)):
            try:
                targets.append(self.postprocess(text, example=example, is_target=True))
            except T5MixError as error:
                raise T5MixError(f"Example {index}: {error}") from error
        return targets

    def outputs(self, texts: Iterable[str], examples: Iterable[Mapping[str, Any]]) -> list[Any]:
        """Returns what metrics take as predictions, of generated texts."""
        pairs = zip(texts, examples, strict=True)
        return [self.postprocess(text, example=example, is_target=False) for text, example in pairs]

    def evaluate(
        self,
        texts: Sequence[str],
        predictions: Sequence[str],
        examples: Sequence[Mapping[str, Any]],
        *,
        target_log_probs: Sequence[float] = (),
        choice_log_probs: Sequence[Sequence[float]] | np.ndarray = (),
    ) -> TaskEvaluation:
        """Scores the predictions of a task.

        Args:
            texts: the target texts, as the files have them.
            predictions: the generated texts, in the same order, as all that follows; none if no metric takes them.
            examples: see `targets`.
            target_log_probs: the natural log-likelihoods of the targets, where a metric takes them.
            choice_log_probs: those of all labels, in the order in which the task declares them; likewise.

        Raises:
            T5MixError: see `targets`.
        """
        targets = self.targets(texts, examples)
        outputs: dict[Takes, Any] = {
            "prediction": self.outputs(predictions, examples) if "prediction" in self.takes else [],
            "target_log_prob": target_log_probs,
            "choice_log_probs": choice_log_probs,
        }
        scores: dict[str, ExampleScores] = {}
        signatures: dict[str, str] = {}
        for metric in self.metrics:
            scores |= metric.example_scores(targets, outputs[metric.takes])
            signatures |= metric.signatures(targets)
        return TaskEvaluation({name: of.value() for name, of in scores.items()}, scores, signatures)
