"""The linear maps of a model, by path, and putting another in the place of one."""

from collections.abc import Callable, Iterator
from typing import Any

from flax import nnx

from t5mix.finetuning.paths import match_paths
from t5mix.model.layers import Dense


def replace_maps(model: Any, patterns: tuple[str, ...], make: Callable[[Dense], nnx.Module]) -> None:
    """Replaces every linear map of the blocks whose path a pattern matches, such as `.*/(query|value)`.

    Raises:
        T5MixError: a pattern matches no map; names the nearest.
    """
    maps = {f"{path}/{name}": (owner, name) for path, owner in _owners(model) for name in _maps_of(owner)}
    for path in sorted(match_paths(patterns, maps)):
        owner, name = maps[path]
        setattr(owner, name, make(getattr(owner, name)))


def _owners(model: Any) -> Iterator[tuple[str, Any]]:
    """Yields the attention and feed-forward modules of all blocks, by path."""
    for stack in ("encoder", "decoder"):
        for number, block in enumerate(getattr(model, stack).blocks):
            for name in ("attention", "self_attention", "cross_attention", "feed_forward"):
                if hasattr(block, name):
                    yield f"{stack}/blocks/{number}/{name}", getattr(block, name)


def _maps_of(owner: Any) -> list[str]:
    return [name for name, value in vars(owner).items() if isinstance(value, Dense)]
