"""What a parameter is, by its path."""

import re
from typing import NamedTuple


class Place(NamedTuple):
    """Where a block's parameter is.

    Attributes:
        stack: "encoder" or "decoder".
        block: counted from the bottom, from 0.
    """

    stack: str
    block: int


def place_of(path: str) -> Place | None:
    """Returns the block that a parameter is in; None for what is in no block."""
    found = re.match(r"(encoder|decoder)/blocks/(\d+)/", path)
    return Place(found[1], int(found[2])) if found else None


def is_norm(path: str) -> bool:
    """Whether a parameter is the scale of one of the model's own layer norms."""
    return re.fullmatch(r"(.*/)?\w*_norm/scale", path) is not None
