"""What Transformers calls each parameter of T5, and which matrices it keeps transposed."""

from typing import NamedTuple

from t5mix.model.config import T5Config
from t5mix.model.t5 import abstract_model

EMBEDDING = "shared.weight"
HEAD = "lm_head.weight"
EMBEDDING_ALIASES = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight")
"""Older files hold the embedding under these names too, or only under them."""
UNUSED = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"
"""Older files hold it; no version of Transformers reads it."""

_SUBLAYERS = {
    "encoder": {"attention": (0, "SelfAttention"), "feed_forward": (1, "DenseReluDense")},
    "decoder": {
        "self_attention": (0, "SelfAttention"),
        "cross_attention": (1, "EncDecAttention"),
        "feed_forward": (2, "DenseReluDense"),
    },
}
BIAS = "layer.0.SelfAttention.relative_attention_bias.weight"
"""The end of the name of a relative bias."""

_ATTENTION_MAPS = {"query": "q", "key": "k", "value": "v", "output": "o"}


class Name(NamedTuple):
    """A parameter's name in Transformers.

    Attributes:
        name: of the tensor.
        transposed: whether it is the transpose of t5mix's array.
    """

    name: str
    transposed: bool


def huggingface_names(config: T5Config) -> dict[str, Name]:
    """Returns the name of each parameter of a model in Transformers, by its path in t5mix."""
    return {path: _name(path) for path in abstract_model(config)[1]}


def _name(path: str) -> Name:
    match path.split("/"):
        case ["token_embedding", "embedding"]:
            return Name(EMBEDDING, False)
        case ["output", "kernel"]:
            return Name(HEAD, True)
        case [stack, "final_norm", "scale"]:
            return Name(f"{stack}.final_layer_norm.weight", False)
        case [stack, "relative_bias", "embedding"]:
            return Name(_relative_bias(stack, 0), False)
        case [stack, "blocks", block, "relative_bias", "embedding"]:
            return Name(_relative_bias(stack, int(block)), False)
        case [stack, "blocks", block, norm, "scale"]:
            layer, _ = _SUBLAYERS[stack][norm.removesuffix("_norm")]
            return Name(f"{stack}.block.{block}.layer.{layer}.layer_norm.weight", False)
        case [stack, "blocks", block, sublayer, linear, "kernel"]:
            layer, module = _SUBLAYERS[stack][sublayer]
            linear = _ATTENTION_MAPS.get(linear, linear)
            return Name(f"{stack}.block.{block}.layer.{layer}.{module}.{linear}.weight", True)
    raise AssertionError(path)


def _relative_bias(stack: str, block: int) -> str:
    return f"{stack}.block.{block}.{BIAS}"
