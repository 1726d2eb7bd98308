"""The names that T5X gives to parameters, below `target`, and those of t5mix."""

import re

_ENDS = {
    "token_embedder/embedding": "token_embedding/embedding",
    "decoder/logits_dense/kernel": "output/kernel",
    "encoder/relpos_bias/rel_embedding": "encoder/relative_bias/embedding",
    "decoder/relpos_bias/rel_embedding": "decoder/relative_bias/embedding",
    "encoder/encoder_norm/scale": "encoder/final_norm/scale",
    "decoder/decoder_norm/scale": "decoder/final_norm/scale",
}
_MODULES = {
    "encoder": {
        "attention": "attention",
        "pre_attention_layer_norm": "attention_norm",
        "mlp": "feed_forward",
        "pre_mlp_layer_norm": "feed_forward_norm",
        "relpos_bias": "relative_bias",
    },
    "decoder": {
        "self_attention": "self_attention",
        "pre_self_attention_layer_norm": "self_attention_norm",
        "encoder_decoder_attention": "cross_attention",
        "pre_cross_attention_layer_norm": "cross_attention_norm",
        "mlp": "feed_forward",
        "pre_mlp_layer_norm": "feed_forward_norm",
        "relpos_bias": "relative_bias",
    },
}
_LEAVES = {
    **{f"{name}/kernel": f"{name}/kernel" for name in ("query", "key", "value", "wi", "wi_0", "wi_1", "wo")},
    "out/kernel": "output/kernel",
    "rel_embedding": "embedding",
    "scale": "scale",
}

_T5MIX_ENDS = {path: name for name, path in _ENDS.items()}
_T5MIX_MODULES = {stack: {path: name for name, path in names.items()} for stack, names in _MODULES.items()}
_T5MIX_LEAVES = {leaf: name for name, leaf in _LEAVES.items()}


def t5mix_path(name: str) -> str | None:
    """The path in t5mix of a parameter that T5X calls `name`; None if T5 has no such parameter."""
    if name in _ENDS:
        return _ENDS[name]
    match = re.fullmatch(r"(encoder|decoder)/layers_(0|[1-9]\d*)/(\w+)/(.+)", name)
    if match is None or match[3] not in _MODULES[match[1]] or match[4] not in _LEAVES:
        return None
    stack, block, module, leaf = match.groups()
    return f"{stack}/blocks/{block}/{_MODULES[stack][module]}/{_LEAVES[leaf]}"


def t5x_name(path: str) -> str:
    """What T5X calls the parameter that has this path in t5mix; the inverse of `t5mix_path`."""
    if path in _T5MIX_ENDS:
        return _T5MIX_ENDS[path]
    stack, _, block, module, leaf = path.split("/", 4)
    return f"{stack}/layers_{block}/{_T5MIX_MODULES[stack][module]}/{_T5MIX_LEAVES[leaf]}"
