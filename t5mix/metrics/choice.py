"""Metrics of the label that a model finds most probable: constrained choice, where nothing is generated."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from t5mix.metrics.example_scores import ExampleMetric, ExampleScores
from t5mix.metrics.pairs import Scores, pair_up


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
    if log_probs.ndim != 2 or log_probs.shape[1] != len(choices) or (len(log_probs) and not choices):
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


class ChoiceMetric(ExampleMetric):
    """Accuracy of the label that a model finds most probable of all that a task has, also called rank classification.

    Args:
        kind: its name.
        by_token: whether the likelihoods are compared by token, so that long labels are not at a disadvantage.
        choices: the labels, as targets give them; `among` fills them in.
        tokens: the tokens of each, the end of the sequence included.
    """

    takes = "choice_log_probs"

    def __init__(
        self, kind: str, *, by_token: bool, doc: str, choices: Sequence[str] = (), tokens: Sequence[int] = ()
    ) -> None:
        self.kind, self.choices, self.tokens, self.__doc__ = kind, tuple(choices), tuple(tokens), doc
        self._by_token = by_token

    def among(self, choices: Sequence[str], tokens: Sequence[int]) -> "ChoiceMetric":
        """Returns the metric of a task with these labels; see the arguments of the class."""
        return ChoiceMetric(self.kind, by_token=self._by_token, doc=self.__doc__ or "", choices=choices, tokens=tokens)

    def example_scores(self, targets: Sequence[str], scores: Sequence[Sequence[float]]) -> Scores:
        """Returns for each example whether its most probable label is the right one.

        Args:
            targets: the right labels.
            scores: [examples, labels], natural log-likelihood of each label given the input. A NaN is what a model
                that has diverged finds; it chooses nothing, so it is wrong.

        Raises:
            ValueError: a target is no label, or the shapes do not belong together.
        """
        if wrong := set(targets) - set(self.choices):
            raise ValueError(f"The target {wrong.pop()!r} is none of the labels {', '.join(map(repr, self.choices))}.")
        log_probs = np.reshape(np.asarray(scores, np.float64), (len(scores), len(self.choices)))
        diverged = np.isnan(log_probs).any(axis=1, keepdims=True)
        guesses = most_probable(
            self.choices, np.where(diverged, 0.0, log_probs), self.tokens if self._by_token else None
        )
        hits = [target == guess for target, guess in pair_up(targets, guesses)]
        return {self.kind: ExampleScores.of_means(np.array(hits, bool) & ~diverged.reshape(-1))}

    # seqio tells metrics of likelihoods by the names of their arguments; t5mix refuses this one in a seqio task.
    def __call__(self, targets: Sequence[str], scores: Sequence[Sequence[float]]) -> dict[str, float]:
        """Returns the value by its name."""
        return super().__call__(targets, scores)

    def perfect(self, targets: Sequence[str], predictions: Sequence[Any]) -> np.ndarray:
        """Returns the logarithm of 1 for the right label of each example, and of 0 for the others."""
        places = {choice: index for index, choice in enumerate(self.choices)}
        log_probs = np.full((len(targets), len(self.choices)), -np.inf)
        log_probs[np.arange(len(targets)), [places[target] for target in targets]] = 0.0
        return log_probs

    def doubt(self, targets: Sequence[str]) -> str:
        """Returns that there is nothing to choose, where that is so."""
        return "the task has one label, which every model chooses" if len(self.choices) == 1 else ""


choice_accuracy = ChoiceMetric(
    "choice_accuracy",
    by_token=False,
    doc="Returns the percentage of examples whose most probable label is the right one.",
)
choice_accuracy_by_token = ChoiceMetric(
    "choice_accuracy_by_token",
    by_token=True,
    doc="Returns the percentage of examples whose label of the greatest mean log-likelihood of a token is right.",
)
