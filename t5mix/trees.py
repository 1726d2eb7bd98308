"""Parameters as a flat dictionary of slash-joined paths: naming, matching, splitting, merging.

`{"encoder/blocks/0/attention/query/kernel": array, ...}` is the one form in which parameters leave the model.
Patterns are regular expressions that must match a whole path.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from t5mix.errors import T5MixError, nearest

T = TypeVar("T")


def match(patterns: Iterable[str], paths: Iterable[str]) -> set[str]:
    """Returns the paths that any of the patterns matches in whole.

    Raises:
        T5MixError: a pattern is no regular expression, or matches no path at all.
    """
    paths = list(paths)
    found: set[str] = set()
    for pattern in patterns:
        try:
            regex = re.compile(pattern)
        except re.error as error:
            raise T5MixError(f"{pattern!r} is no regular expression: {error}.") from error
        hits = {path for path in paths if regex.fullmatch(path)}
        if not hits:
            near = nearest(pattern, paths) or sorted(paths)[:3]
            raise T5MixError(f"The pattern {pattern!r} matches no parameter. The nearest are {', '.join(near)}.")
        found |= hits
    return found


def split(tree: Mapping[str, T], keep: Callable[[str], bool]) -> tuple[dict[str, T], dict[str, T]]:
    """Returns the leaves whose path `keep` accepts, and the others."""
    chosen = {path: leaf for path, leaf in tree.items() if keep(path)}
    return chosen, {path: leaf for path, leaf in tree.items() if path not in chosen}


def merge(*trees: Mapping[str, T]) -> dict[str, T]:
    """Returns the union of trees that share no path, sorted by path.

    Raises:
        ValueError: a path stands in two of them.
    """
    merged: dict[str, T] = {}
    for tree in trees:
        twice = merged.keys() & tree.keys()
        if twice:
            raise ValueError(f"in two of the trees: {', '.join(sorted(twice))}")
        merged.update(tree)
    return dict(sorted(merged.items()))
