"""A parameter that lies in a file: what is read of a checkpoint one after the other, so that not all is in memory."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A parameter that lies in a file.

    Attributes:
        shape: as t5mix has it.
        read: returns its values in that shape, in the type of the file.
    """

    shape: tuple[int, ...]
    read: Callable[[], np.ndarray]

    @classmethod
    def of(cls, values: Any) -> "Tensor":
        """Returns an array, JAX's or NumPy's, that is in memory as if it were in a file."""
        return cls(tuple(values.shape), lambda: np.asarray(values))

    @property
    def T(self) -> "Tensor":  # noqa: N802  # as NumPy calls it
        """The transpose of a matrix."""
        return Tensor(self.shape[::-1], lambda: self.read().T)


def same_values(one: Tensor, other: Tensor) -> bool:
    """Returns whether two tensors hold the same numbers."""
    return one.shape == other.shape and np.array_equal(one.read(), other.read())
