"""The parameters of small models as other frameworks name and lay them out, written down from their documentation."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from t5mix.model.config import T5Config
from t5mix.model.t5 import abstract_model

UNEQUAL = T5Config(
    vocab_size=40, d_model=12, d_ff=20, d_kv=8, num_heads=3, num_layers=2, num_decoder_layers=3, activation="gated-gelu"
)
"""T5 1.1 in which no two sizes are alike, and the heads are wider than the model."""

SQUARE = T5Config(
    vocab_size=32,
    d_model=32,
    d_ff=32,
    d_kv=1,
    num_heads=32,
    num_layers=2,
    num_decoder_layers=1,
    activation="relu",
    tie_embeddings=True,
    scale_logits=True,
)
"""T5 1.0 in which every matrix is square: no shape shows that one is to be transposed."""

Arrays = dict[str, np.ndarray]


def random_params(config: T5Config) -> Arrays:
    """Parameters of a model, float32, no two equal."""
    rng = np.random.default_rng(0)
    shapes = abstract_model(config)[1]
    return {path: rng.standard_normal(leaf.shape).astype(np.float32) for path, leaf in sorted(shapes.items())}


def t5x_arrays(params: Mapping[str, np.ndarray], config: T5Config) -> Arrays:
    """Parameters by the name that T5X has for them below `target`."""
    arrays = {"token_embedder/embedding": params["token_embedding/embedding"]}
    if not config.tie_embeddings:
        arrays["decoder/logits_dense/kernel"] = params["output/kernel"]
    for stack, depth in (("encoder", config.num_layers), ("decoder", config.num_decoder_layers)):
        arrays[f"{stack}/relpos_bias/rel_embedding"] = params[f"{stack}/relative_bias/embedding"].T
        arrays[f"{stack}/{stack}_norm/scale"] = params[f"{stack}/final_norm/scale"]
        for i in range(depth):
            there, here = f"{stack}/layers_{i}", f"{stack}/blocks/{i}"
            if stack == "encoder":
                attentions = {"attention": ("attention", "pre_attention_layer_norm")}
            else:
                attentions = {
                    "self_attention": ("self_attention", "pre_self_attention_layer_norm"),
                    "cross_attention": ("encoder_decoder_attention", "pre_cross_attention_layer_norm"),
                }
            for attention, (name, norm) in attentions.items():
                arrays[f"{there}/{norm}/scale"] = params[f"{here}/{attention}_norm/scale"]
                for ours, theirs in (("query", "query"), ("key", "key"), ("value", "value"), ("output", "out")):
                    arrays[f"{there}/{name}/{theirs}/kernel"] = params[f"{here}/{attention}/{ours}/kernel"]
            arrays[f"{there}/pre_mlp_layer_norm/scale"] = params[f"{here}/feed_forward_norm/scale"]
            for kernel in ("wi", "wo") if config.activation == "relu" else ("wi_0", "wi_1", "wo"):
                arrays[f"{there}/mlp/{kernel}/kernel"] = params[f"{here}/feed_forward/{kernel}/kernel"]
    return arrays


def unjoined(name: str, array: np.ndarray, config: T5Config) -> np.ndarray:
    """A parameter of T5X's `examples/t5` as `examples/scalable_t5` has it: attention with an axis of heads."""
    heads, size = config.num_heads, config.d_kv
    if "attention/" not in name:
        return array
    return array.reshape(heads, size, -1) if "/out/" in name else array.reshape(-1, heads, size)


def scanned(arrays: Mapping[str, np.ndarray], config: T5Config, biases: Mapping[str, list[np.ndarray]]) -> Arrays:
    """Parameters of T5X's `examples/t5` as `examples/scalable_t5` has them: the layers of a stack along axis 1.

    Args:
        arrays: what `t5x_arrays` returns.
        config: the model.
        biases: of each layer of each stack, as T5X has them.
    """
    result = {name: array for name, array in arrays.items() if "/layers_" not in name and "relpos_bias" not in name}
    for stack in ("encoder", "decoder"):
        prefix = f"{stack}/layers_0/"
        for name in (name for name in arrays if name.startswith(prefix)):
            rest = name.removeprefix(prefix)
            layers = [unjoined(name, arrays[f"{stack}/layers_{i}/{rest}"], config) for i in range(len(biases[stack]))]
            result[f"{stack}/{stack}/{rest}"] = np.stack(layers, axis=1)
        result[f"{stack}/{stack}/relpos_bias/rel_embedding"] = np.stack(biases[stack], axis=1)
    return result


def mesh_arrays(params: Mapping[str, np.ndarray], config: T5Config, *, norm: str = "rms_norm") -> Arrays:
    """Parameters by the name that Mesh TensorFlow has for them.

    Args:
        params: of the model.
        config: the model.
        norm: what the norms are called; at a stack's end the older "layer_norm" is a final_layer_norm.
    """
    arrays = {"shared/embedding": params["token_embedding/embedding"]}
    if not config.tie_embeddings:
        arrays["decoder/logits/kernel"] = params["output/kernel"]
    for stack, depth in (("encoder", config.num_layers), ("decoder", config.num_decoder_layers)):
        last = "rms_norm" if norm == "rms_norm" else "final_layer_norm"
        arrays[f"{stack}/{last}/scale"] = params[f"{stack}/final_norm/scale"]
        bias = params[f"{stack}/relative_bias/embedding"].T
        arrays[f"{stack}/block_000/layer_000/SelfAttention/relative_attention_bias"] = bias
        for i in range(depth):
            there, here = f"{stack}/block_{i:03d}", f"{stack}/blocks/{i}"
            if stack == "encoder":
                sublayers = [("attention", "SelfAttention")]
            else:
                sublayers = [("self_attention", "SelfAttention"), ("cross_attention", "EncDecAttention")]
            for number, (attention, name) in enumerate(sublayers):
                arrays[f"{there}/layer_{number:03d}/{norm}/scale"] = params[f"{here}/{attention}_norm/scale"]
                for ours, theirs in (("query", "q"), ("key", "k"), ("value", "v"), ("output", "o")):
                    kernel = params[f"{here}/{attention}/{ours}/kernel"]
                    arrays[f"{there}/layer_{number:03d}/{name}/{theirs}"] = kernel
            number = len(sublayers)
            arrays[f"{there}/layer_{number:03d}/{norm}/scale"] = params[f"{here}/feed_forward_norm/scale"]
            for kernel in ("wi", "wo") if config.activation == "relu" else ("wi_0", "wi_1", "wo"):
                name = f"{there}/layer_{number:03d}/DenseReluDense/{kernel}/kernel"
                arrays[name] = params[f"{here}/feed_forward/{kernel}/kernel"]
    return arrays


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The tree of slash-joined names."""
    tree: dict[str, Any] = {}
    for name, value in flat.items():
        *parents, leaf = name.split("/")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = value
    return tree


def assert_same(tensors: Mapping[str, Any], params: Mapping[str, np.ndarray]) -> None:
    """The tensors of a foreign checkpoint are these parameters, bit for bit and in the same type."""
    assert tensors.keys() == params.keys()
    for path, expected in params.items():
        array = tensors[path].read()
        assert array.dtype == expected.dtype, path
        assert array.shape == expected.shape == tensors[path].shape, path
        assert array.tobytes() == expected.tobytes(), path
