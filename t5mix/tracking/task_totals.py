"""Weighted means that merge exactly: over microbatches, steps and hosts, never a mean of means."""

import dataclasses

import numpy as np


@dataclasses.dataclass
class TaskTotals:
    """Running sums for each task over the steps since they were last reported.

    float64, so that the sums of many steps do not depend on how they are grouped to any digit that is shown, and
    JSON-able without loss, so that a resumed run reports what an uninterrupted one does.

    Attributes:
        cross_entropy: nats, summed over loss tokens; [N].
        correct: loss tokens predicted right; [N].
        loss_tokens: [N].
        examples: [N].
        expected_examples: what the proportions in force would have given of all examples, [N].
        input_tokens: [N].
        target_tokens: [N].
    """

    cross_entropy: np.ndarray
    correct: np.ndarray
    loss_tokens: np.ndarray
    examples: np.ndarray
    expected_examples: np.ndarray
    input_tokens: np.ndarray
    target_tokens: np.ndarray

    @classmethod
    def zeros(cls, num_tasks: int) -> "TaskTotals":
        """Returns totals of nothing."""
        return cls(*(np.zeros(num_tasks) for _ in dataclasses.fields(cls)))

    def add(self, **sums: np.ndarray) -> None:
        """Adds one step's sums to the totals of the same names."""
        for name, values in sums.items():
            setattr(self, name, getattr(self, name) + np.asarray(values, np.float64))

    def loss(self) -> np.ndarray:
        """Returns the mean cross-entropy for each task in nats a token; NaN where there was no token."""
        return _ratio(self.cross_entropy, self.loss_tokens)

    def accuracy(self) -> np.ndarray:
        """Returns the share of loss tokens predicted right for each task; NaN where there was none."""
        return _ratio(self.correct, self.loss_tokens)

    def to_json(self) -> dict[str, list[float]]:
        """Returns the totals as plain lists."""
        return {field.name: getattr(self, field.name).tolist() for field in dataclasses.fields(self)}

    @classmethod
    def from_json(cls, raw: dict[str, list[float]]) -> "TaskTotals":
        """Reads what `to_json` gave."""
        return cls(**{name: np.asarray(values) for name, values in raw.items()})


def _ratio(sums: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.divide(sums, weights, out=np.full_like(sums, np.nan), where=weights > 0)
