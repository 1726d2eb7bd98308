"""Metrics of how probable a model finds the targets: perplexity and bits per byte."""

import dataclasses
from collections.abc import Sequence
from typing import Any

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

    takes = "target_log_prob"

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

    def perfect(self, targets: Sequence[TextSize], predictions: Sequence[Any]) -> list[float]:
        """Returns the logarithm of 1 for each target."""
        return [0.0] * len(targets)

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
