"""Writer of T5X checkpoints."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgpack
import numpy as np

from t5mix.errors import T5MixError
from t5mix.files import atomic_folder, check_room, disk_errors
from t5mix.interop.foreign import check_shapes
from t5mix.interop.t5x_names import t5x_name
from t5mix.model.config import T5Config

_FIXED = {"relative_buckets": 32, "relative_max_distance": 128, "layer_norm_epsilon": 1e-6}
"""What T5X's network has in its code, not in its configuration."""

_ACTIVATIONS = {"relu": ("relu",), "gated-gelu": ("gelu", "linear"), "gated-silu": ("silu", "linear")}


def write_t5x(params: Mapping[str, np.ndarray], config: T5Config, folder: Path, step: int) -> Path:
    """Writes the parameters of a model as a T5X checkpoint, with the gin configuration of its network.

    T5X scales the logits if, and only if, the embeddings are tied. A model that does one alone gets an output matrix of
    its own that computes the same: the embeddings, or its own matrix times the scale.

    Args:
        params: by path, exactly those of the model; each keeps its type.
        config: the model.
        folder: where the folder `checkpoint_<step>` is made.
        step: the step that the checkpoint is of.

    Returns:
        The folder `checkpoint_<step>`.

    Raises:
        T5MixError: T5X has no such model, the parameters are not those of the model, the folder is there already, or
            the disk is too full.
    """
    check_shapes(config, {path: array.shape for path, array in params.items()}, "What is to be written as T5X")
    _check_representable(config)
    path = folder / f"checkpoint_{step}"
    if path.exists():
        raise T5MixError(f"{path} is there already. Remove it, or choose another folder.")
    check_room(folder.absolute(), sum(array.nbytes for array in params.values()))
    if config.tie_embeddings != config.scale_logits:
        params = {**params, "output/kernel": _output(params, config)}
        config = dataclasses.replace(config, tie_embeddings=False, scale_logits=False)
    with disk_errors(path), atomic_folder(path, "checkpoint") as draft:
        target: dict[str, Any] = {}
        for name, array in sorted((t5x_name(path), array) for path, array in params.items()):
            array = _arranged(name, np.asarray(array), config)
            *parents, leaf = name.split("/")
            node = target
            for parent in parents:
                node = node.setdefault(parent, {})
            node[leaf] = _write_array(draft, f"target.{name.replace('/', '.')}", array)
        tree = {"version": 3, "optimizer": {"target": target, "state": {"step": _packed(np.int32(step))}}}
        (draft / "config.gin").write_text(_gin(config), encoding="utf-8")
        with open(draft / "checkpoint", "wb") as file:
            msgpack.pack(tree, file)
    return path


def _check_representable(config: T5Config) -> None:
    for name, value in _FIXED.items():
        if getattr(config, name) != value:
            raise T5MixError(f"{name} is {getattr(config, name)}; T5X's network has {value} and no setting for it.")
    if config.activation not in _ACTIVATIONS:
        raise T5MixError(f"activation is {config.activation}; t5mix writes {', '.join(_ACTIVATIONS)} for T5X.")


def _is_scalable(config: T5Config) -> bool:
    """Whether only T5X's `examples/scalable_t5` has such a model: each of its layers has a relative bias."""
    return config.relative_bias == "per_block"


def _arranged(name: str, array: np.ndarray, config: T5Config) -> np.ndarray:
    """A parameter as T5X's network has it."""
    if name.endswith("/rel_embedding"):
        return array.T
    if _is_scalable(config) and "attention/" in name:  # with an axis of heads
        heads, size = config.num_heads, config.d_kv
        return array.reshape((heads, size, -1) if name.endswith("/out/kernel") else (-1, heads, size))
    return array


def _output(params: Mapping[str, np.ndarray], config: T5Config) -> np.ndarray:
    """The output matrix that needs no scale."""
    if config.tie_embeddings:
        return np.asarray(params["token_embedding/embedding"]).T
    kernel = np.asarray(params["output/kernel"])
    return kernel * np.asarray(config.d_model**-0.5, kernel.dtype)


def _write_array(folder: Path, name: str, array: np.ndarray) -> dict[str, Any]:
    """Writes an array as a zarr folder of one chunk, and returns what the msgpack file says of it."""
    import tensorstore as ts

    spec = {
        "driver": "zarr",
        "dtype": array.dtype.name,
        "kvstore": {"driver": "file", "path": f"{name}/"},
        "metadata": {
            "chunks": list(array.shape),
            "compressor": {"id": "gzip", "level": 1},
            "shape": list(array.shape),
        },
    }
    placed = {**spec, "kvstore": {"driver": "file", "path": f"{(folder / name).absolute()}/"}}
    ts.open(placed, create=True).result().write(array).result()
    return spec


def _packed(value: np.generic) -> msgpack.ExtType:
    """A NumPy scalar as flax packs it."""
    return msgpack.ExtType(3, msgpack.packb(((), value.dtype.name, value.tobytes())))


def _gin(config: T5Config) -> str:
    package, scan = ("scalable_t5", "\n  scan_layers = False") if _is_scalable(config) else ("t5", "")
    return f"""\
# The network of this checkpoint. Include it in a gin file of T5X that trains or runs it.
from __gin__ import dynamic_registration

from t5x.examples.{package} import network

network.Transformer.config = @network.T5Config()
network.T5Config:
  vocab_size = {config.vocab_size}
  dtype = {config.dtype!r}
  emb_dim = {config.d_model}
  num_heads = {config.num_heads}
  num_encoder_layers = {config.num_layers}
  num_decoder_layers = {config.num_decoder_layers}
  head_dim = {config.d_kv}
  mlp_dim = {config.d_ff}
  mlp_activations = {_ACTIVATIONS[config.activation]!r}
  dropout_rate = {config.dropout_rate!r}
  logits_via_embedding = {config.tie_embeddings}{scan}
"""
