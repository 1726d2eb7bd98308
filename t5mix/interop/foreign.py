"""A checkpoint of another framework, as every reader of one describes it: nothing is loaded before it is asked for."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from t5mix.errors import T5MixError
from t5mix.model.config import T5Config
from t5mix.model.t5 import abstract_model


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


def check_complete(checkpoint: ForeignCheckpoint) -> None:
    """Refuses a checkpoint whose tensors are not those of the model that it describes.

    Raises:
        T5MixError: some are missing, left over or of other shapes; up to eight are listed.
    """
    expected = {path: tuple(leaf.shape) for path, leaf in abstract_model(checkpoint.config)[1].items()}
    held = {path: tensor.shape for path, tensor in checkpoint.tensors.items()}
    differing = sorted(path for path in expected.keys() | held.keys() if expected.get(path) != held.get(path))
    if differing:
        lines = [
            f"  {path}: {held.get(path, 'missing')}, expected {expected.get(path, 'none')}" for path in differing[:8]
        ]
        raise T5MixError(
            f"{checkpoint.path} ({checkpoint.format}) does not hold the model that it describes; of its parameters "
            f"{len(differing)} differ:\n" + "\n".join(lines)
        )
