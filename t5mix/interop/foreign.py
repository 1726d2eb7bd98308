"""A checkpoint of another framework, as every reader of one describes it: nothing is loaded before it is asked for."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from t5mix.checkpoint.tensors import Tensor
from t5mix.errors import T5MixError
from t5mix.model.config import T5Config
from t5mix.model.t5 import abstract_model

_LISTED = 8
"""How many tensors an error lists."""


class SpecialIds(NamedTuple):
    """The ids that a model was trained with for padding, the end of a sequence, and the decoder's first input."""

    pad: int
    eos: int
    start: int


T5_IDS = SpecialIds(pad=0, eos=1, start=0)


@dataclasses.dataclass(frozen=True)
class ForeignCheckpoint:
    """The model of a checkpoint of another framework.

    Attributes:
        path: where it lies.
        format: what wrote it, for people to read.
        config: the shape of the model.
        tensors: its parameters by the path that they have in t5mix.
        special_ids: what it was trained with.
    """

    path: Path
    format: str
    config: T5Config
    tensors: Mapping[str, Tensor]
    special_ids: SpecialIds = T5_IDS


def check_complete(checkpoint: ForeignCheckpoint) -> None:
    """Refuses a checkpoint that does not hold exactly the parameters of the model that its configuration describes.

    Raises:
        T5MixError: lists tensors that are missing, unknown or of another shape.
    """
    shapes = {path: tensor.shape for path, tensor in checkpoint.tensors.items()}
    check_shapes(checkpoint.config, shapes, f"{checkpoint.path} ({checkpoint.format})")


def check_shapes(config: T5Config, shapes: Mapping[str, tuple[int, ...]], owner: str) -> None:
    """Refuses parameters that are not exactly those of a model.

    Args:
        config: the model.
        shapes: of the parameters, by path.
        owner: whose they are, for the message.

    Raises:
        T5MixError: lists parameters that are missing, unknown or of another shape.
    """
    expected = {path: tuple(leaf.shape) for path, leaf in abstract_model(config)[1].items()}
    wrong = []
    for path in sorted(expected.keys() | shapes.keys()):
        if path not in shapes:
            wrong.append(f"{path} is missing; expected {list(expected[path])}")
        elif path not in expected:
            wrong.append(f"{path} {list(shapes[path])} is not a parameter of this model")
        elif tuple(shapes[path]) != expected[path]:
            wrong.append(f"{path} is {list(shapes[path])}; expected {list(expected[path])}")
    if wrong:
        more = [f"and {len(wrong) - _LISTED} more"] if len(wrong) > _LISTED else []
        lines = "\n  ".join([*wrong[:_LISTED], *more])
        raise T5MixError(f"{owner} does not hold the parameters of a T5 model. What does not fit:\n  {lines}")
