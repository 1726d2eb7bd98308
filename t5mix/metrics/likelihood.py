"""Metrics of what a model finds probable: perplexity, bits per byte, and the choice of the most probable label."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from t5mix.metrics.example_scores import ExampleMetric, ExampleScores
from t5mix.metrics.pairs import Scores, pair_up


@dataclasses.dataclass(frozen=True)
class TextSize:
    """How much text a log-likelihood is about: what metrics of likelihoods take as a target.

    Attributes:
        tokens: that were predicted, the end of the sequence included.
        bytes: of the text in UTF-8.
    """

    tokens: int
    bytes: int


class LikelihoodMetric(ExampleMetric):
    """Perplexity or bits per byte: the fewer, the better.

    Args:
        kind: its name, and what `REDUCERS` calls it.
        best: the value where every target is certain.
        unit: the field of `TextSize` that it is counted by.
    """

    def __init__(self, kind: str, best: float, unit: str, doc: str) -> None:
        self.kind, self.best, self._unit, self.__doc__ = kind, best, unit, doc

    def example_scores(self, targets: Sequence[TextSize], scores: Sequence[float]) -> Scores:
        """Returns nats and size of each example.

        Args:
            targets: the sizes of the targets.
            scores: their natural log-likelihoods.
        """
        rows = [[-score, getattr(size, self._unit)] for size, score in pair_up(targets, scores)]
        return {self.kind: ExampleScores.of(self.kind, rows)}

    # seqio finds metrics of likelihoods by the names of their arguments.
    def __call__(self, targets: Sequence[TextSize], scores: Sequence[float]) -> dict[str, float]:
        """Returns the value by its name."""
        return super().__call__(targets, scores)

    def limit(self, value: str, targets: Sequence[TextSize]) -> str:
        """Returns that there is no text, where that is so."""
        return "" if any(getattr(size, self._unit) for size in targets) else f"the targets have no {self._unit}"

    def __reduce__(self) -> str:
        return self.kind


perplexity = LikelihoodMetric(
    "perplexity", 1.0, "tokens", "Returns the exponential of the mean negative log-likelihood of a token."
)
bits_per_byte = LikelihoodMetric(
    "bits_per_byte",
    0.0,
    "bytes",
    "Returns the negative log-likelihood of the text in bits, by its bytes in UTF-8: comparable across vocabularies.",
)


def most_probable(
    choices: Sequence[Any], log_probs: np.ndarray, lengths: np.ndarray | Sequence[int] | None = None
) -> list[Any]:
    """Returns the label that a model finds most probable for each example, as label metrics take predictions.

    A label that is the beginning of another is told from it by the end of the sequence, so the likelihoods must
    include it. Of equally probable labels the first is taken.

    Args:
        choices: the labels.
        log_probs: [examples, labels], natural log-likelihood of each label given the input.
        lengths: tokens of each label, [labels] or [examples, labels]: the likelihoods are then compared by token, so
            that long labels are not at a disadvantage.

    Raises:
        ValueError: the shapes do not belong together, a length is below 1, or a likelihood is NaN.
    """
    log_probs = np.asarray(log_probs, np.float64)
    if log_probs.ndim != 2 or log_probs.shape[1] != len(choices) or not choices:
        raise ValueError(f"log_probs has the shape {log_probs.shape}, and there are {len(choices)} labels.")
    if np.isnan(log_probs).any():
        raise ValueError("A log-likelihood is NaN.")
    if lengths is not None:
        lengths = np.asarray(lengths)
        if lengths.shape not in (log_probs.shape, log_probs.shape[1:]) or (lengths < 1).any():
            raise ValueError(
                f"lengths must be at least 1 and of the shape {log_probs.shape} or {log_probs.shape[1:]}; they are of "
                f"{lengths.shape}."
            )
        log_probs = log_probs / lengths
    return [choices[index] for index in log_probs.argmax(axis=1)] if len(log_probs) else []


def choice_accuracy(
    targets: Sequence[Any],
    choices: Sequence[Any],
    log_probs: np.ndarray,
    lengths: np.ndarray | Sequence[int] | None = None,
) -> Scores:
    """Returns the accuracy of the most probable label: `choice_accuracy`, or `choice_accuracy_by_token` with lengths.

    Args:
        targets: the right label of each example.
        choices: see `most_probable`, as for the others.
        log_probs: likewise.
        lengths: likewise.

    Raises:
        ValueError: see `most_probable`, a target is no label, or there are more targets than examples or fewer.
    """
    guesses = most_probable(choices, log_probs, lengths)
    if wrong := set(targets) - set(choices):
        raise ValueError(f"The target {wrong.pop()!r} is none of the labels {', '.join(map(repr, choices))}.")
    hits = [target == guess for target, guess in pair_up(targets, guesses)]
    name = "choice_accuracy" if lengths is None else "choice_accuracy_by_token"
    return {name: ExampleScores.of_means(hits)}
