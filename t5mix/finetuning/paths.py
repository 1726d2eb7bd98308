"""Parameters by their path: `encoder/blocks/0/attention/query/kernel`. Patterns must match a whole path."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from t5mix.errors import T5MixError, nearest


class BlockPosition(NamedTuple):
    """A block of the model.

    Attributes:
        stack: "encoder" or "decoder".
        block: counted from the bottom, from 0.
    """

    stack: str
    block: int


def block_position(path: str) -> BlockPosition | None:
    """Returns which block a parameter is in; None for a parameter outside the blocks."""
    match = re.match(r"(encoder|decoder)/blocks/(\d+)/", path)
    return BlockPosition(match[1], int(match[2])) if match else None


def is_layer_norm(path: str) -> bool:
    """Whether a parameter is the scale of one of the model's own layer norms."""
    return re.fullmatch(r"(.*/)?\w*_norm/scale", path) is not None


def match_paths(patterns: Iterable[str], paths: Iterable[str]) -> set[str]:
    """Returns the paths of which any pattern matches the whole.

    Raises:
        T5MixError: a pattern is no regular expression, or matches no path at all.
    """
    paths = list(paths)
    matched: set[str] = set()
    for pattern in patterns:
        try:
            regex = re.compile(pattern)
        except re.error as error:
            raise T5MixError(f"{pattern!r} is no regular expression: {error}.") from error
        hits = {path for path in paths if regex.fullmatch(path)}
        if not hits:
            near = nearest(pattern, paths) or sorted(paths)[:3]
            raise T5MixError(f"The pattern {pattern!r} matches no parameter. The nearest are {', '.join(near)}.")
        matched |= hits
    return matched
