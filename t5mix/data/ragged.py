"""Rows of tokens of different lengths, one after the other in one array: many examples at the cost of one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ragged:
    """Rows of different lengths.

    Attributes:
        values: the tokens of all rows, one after the other.
        lengths: int64 [rows], how many of them belong to each.
    """

    values: np.ndarray
    lengths: np.ndarray

    @classmethod
    def of(cls, rows: Sequence[np.ndarray | Sequence[int]]) -> "Ragged":
        """Joins rows."""
        lengths = np.fromiter((len(row) for row in rows), np.int64, len(rows))
        values = np.concatenate([np.asarray(row, np.int32) for row in rows]) if rows else np.zeros(0, np.int32)
        return cls(values, lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def ends(self) -> np.ndarray:
        """int64 [rows], where in `values` each row ends."""
        return np.cumsum(self.lengths)

    def rows(self) -> list[np.ndarray]:
        """Returns each row, as a view."""
        return np.split(self.values, self.ends[:-1]) if len(self) else []

    def with_end(self, token: int) -> "Ragged":
        """Returns the rows with one token more at the end of each."""
        return Ragged(np.insert(self.values, self.ends, token), self.lengths + 1)

    def cut(self, limit: int) -> "Ragged":
        """Returns the rows, `limit` tokens of each at most: its first ones and its last, the end of the sequence."""
        if not len(self) or self.lengths.max() <= limit:
            return self
        positions = np.arange(len(self.values)) - np.repeat(self.ends - self.lengths, self.lengths)
        lengths = np.repeat(self.lengths, self.lengths)
        kept = (positions < limit - 1) | (positions == lengths - 1) | (lengths <= limit)
        return Ragged(self.values[kept], np.minimum(self.lengths, limit))


TokenBatch = tuple[Ragged, Ragged]
"""Examples: their inputs and as many targets."""


def token_batch(examples: Sequence[tuple[np.ndarray | Sequence[int], np.ndarray | Sequence[int]]]) -> TokenBatch:
    """Returns pairs of inputs and targets as one batch."""
    return Ragged.of([inputs for inputs, _ in examples]), Ragged.of([targets for _, targets in examples])
