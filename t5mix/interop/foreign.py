"""A checkpoint of another framework, as every reader of one describes it: nothing is loaded before it is asked for."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from t5mix.model.config import T5Config


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A parameter that lies in a file.

    Attributes:
        shape: as t5mix has it.
        read: returns its values in that shape, in the type of the file.
    """

    shape: tuple[int, ...]
    read: Callable[[], np.ndarray]

    @property
    def T(self) -> "Tensor":  # noqa: N802  # as NumPy calls it
        """The transpose of a matrix."""
        return Tensor(self.shape[::-1], lambda: self.read().T)


@dataclasses.dataclass(frozen=True)
class ForeignCheckpoint:
    """The model of a checkpoint of another framework.

    Attributes:
        path: where it lies.
        format: what wrote it, for people to read.
        config: the shape of the model.
        tensors: its parameters by the path that they have in t5mix.
    """

    path: Path
    format: str
    config: T5Config
    tensors: Mapping[str, Tensor]
