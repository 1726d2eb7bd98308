"""The shape of a model, from the tensors of its checkpoint and from what is written beside them."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from t5mix.checkpoint.tensors import Tensor, same_values
from t5mix.errors import T5MixError
from t5mix.model.config import T5Config

_STACKS = ("encoder", "decoder")


def infer_config(path: Path, tensors: Mapping[str, Tensor], settings: Mapping[str, Any] | None = None) -> T5Config:
    """The configuration of the model that some tensors are.

    T5 1.0 ties its embeddings and scales the logits, later models do neither; T5's defaults fill in what no tensor
    shows.

    Args:
        path: of the checkpoint, for messages.
        tensors: by the path that they have in t5mix; others are not looked at.
        settings: fields of `T5Config` that a file beside the checkpoint gives.

    Raises:
        T5MixError: a tensor that shows a size is missing, the file contradicts the tensors, or t5mix has no such model.
    """
    shown, settings = _sizes(path, tensors), dict(settings or {})
    gated = "encoder/blocks/0/feed_forward/wi_0/kernel" in tensors
    activation = settings.setdefault("activation", "gated-gelu" if gated else "relu")
    if activation.startswith("gated-") != gated:
        maps = "wi_0 and wi_1" if gated else "wi"
        raise T5MixError(f"{path}: the activation is {activation} by its configuration, and its tensors are {maps}.")
    for name in shown.keys() & settings.keys():
        if settings[name] != shown[name]:
            raise T5MixError(
                f"{path}: {name} is {settings[name]} by its configuration, and {shown[name]} by its tensors. Does the "
                "configuration belong to another checkpoint?"
            )
    if _block_biases(tensors):
        shown["relative_bias"] = "per_block"
    try:
        return T5Config(**{**settings, **shown, "scale_logits": shown["tie_embeddings"]})
    except (ValueError, TypeError) as error:
        raise T5MixError(f"{path}: t5mix has no such model: {error}.") from error


def share_equal_biases(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Turns relative biases of the blocks into the one of each stack, if they are equal in all blocks of it."""
    blocks = {stack: _block_biases(tensors, stack) for stack in _STACKS}
    for stack, biases in blocks.items():
        equal = all(same_values(tensors[biases[0]], tensors[path]) for path in biases[1:])
        if not biases or len(biases) != _depth(tensors, stack) or not equal:
            return dict(tensors)
    shared = {f"{stack}/relative_bias/embedding": tensors[biases[0]] for stack, biases in blocks.items()}
    own = {bias for biases in blocks.values() for bias in biases}
    return {path: tensor for path, tensor in tensors.items() if path not in own} | shared


def _sizes(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    def matrix(name: str, *alternatives: str) -> tuple[int, int]:
        for candidate in (name, *alternatives):
            if candidate in tensors and len(tensors[candidate].shape) == 2:
                return tensors[candidate].shape[0], tensors[candidate].shape[1]
        raise T5MixError(
            f"{path} holds no T5 encoder-decoder: {name} is not there, or not a matrix. There are "
            f"{', '.join(sorted(tensors)[:8])}{', ...' if len(tensors) > 8 else ''}."
        )

    if not tensors:
        raise T5MixError(f"{path} holds no parameters of a model.")
    vocab_size, d_model = matrix("token_embedding/embedding")
    block = "encoder/blocks/0"
    buckets, heads = matrix("encoder/relative_bias/embedding", f"{block}/relative_bias/embedding")
    inner = matrix(f"{block}/attention/query/kernel")[1]
    if inner % heads:
        raise T5MixError(
            f"{path}: {block}/attention/query/kernel has {inner} columns, which {heads} heads cannot share."
        )
    return {
        "vocab_size": vocab_size,
        "d_model": d_model,
        "d_ff": matrix(f"{block}/feed_forward/wi/kernel", f"{block}/feed_forward/wi_0/kernel")[1],
        "d_kv": inner // heads,
        "num_heads": heads,
        "num_layers": _depth(tensors, "encoder"),
        "num_decoder_layers": _depth(tensors, "decoder"),
        "relative_buckets": buckets,
        "tie_embeddings": "output/kernel" not in tensors,
    }


def _depth(tensors: Mapping[str, Tensor], stack: str) -> int:
    found = [re.match(rf"{stack}/blocks/(\d+)/", path) for path in tensors]
    return max((int(match[1]) + 1 for match in found if match), default=0)


def _block_biases(tensors: Mapping[str, Tensor], stack: str = ".*") -> list[str]:
    return sorted(path for path in tensors if re.fullmatch(rf"{stack}/blocks/\d+/relative_bias/embedding", path))
