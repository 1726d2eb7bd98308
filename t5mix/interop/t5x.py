"""Reader of T5X checkpoints: msgpack with zarr folders, the older single file, Orbax's variant, scanned layers."""

import functools
import mmap
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from t5mix.checkpoint.tensors import Tensor
from t5mix.errors import T5MixError
from t5mix.files import read_json
from t5mix.interop.architecture import infer_config, share_equal_biases
from t5mix.interop.foreign import ForeignCheckpoint, check_complete
from t5mix.interop.gin_files import model_settings
from t5mix.interop.msgpack_index import Extension, index_msgpack
from t5mix.interop.stored_arrays import CHUNKED, StoredArray, inline_array, zarr_array
from t5mix.interop.t5x_names import t5mix_path

_Load = Callable[[StoredArray], np.ndarray]
_PLACEHOLDER = "PLACEHOLDER://"
_METADATA = "_METADATA"  # Orbax's own list of a checkpoint's arrays
_OF_TENSORFLOW = b"model_checkpoint_path"
_MAPPINGS = {bytes([byte]) for byte in (*range(0x80, 0x90), 0xDE, 0xDF)}  # as msgpack begins
_VERSION = 3
_SETTINGS = {
    "vocab_size": "T5Config.vocab_size",
    "d_model": "T5Config.emb_dim",
    "d_ff": "T5Config.mlp_dim",
    "d_kv": "T5Config.head_dim",
    "num_heads": "T5Config.num_heads",
    "num_layers": "T5Config.num_encoder_layers",
    "num_decoder_layers": "T5Config.num_decoder_layers",
    "activation": "T5Config.mlp_activations",
    "dropout_rate": "T5Config.dropout_rate",
    "tie_embeddings": "T5Config.logits_via_embedding",
}


def read_t5x(folder_or_file: Path) -> ForeignCheckpoint:
    """Describes a T5X checkpoint. The optimizer's state in it is not read.

    Args:
        folder_or_file: a folder `checkpoint_<step>`, or of several such folders, of which the latest is taken; or the
            msgpack file. A `config.gin` or `operative_config.gin` in the folder, or in the one above it, gives what the
            tensors do not show: the activation and the dropout rate.

    Raises:
        T5MixError: there is no checkpoint of T5X, or it is not of a T5 model.
    """
    file = _find(folder_or_file)
    if file is None:
        raise T5MixError(
            f"{folder_or_file} holds no T5X checkpoint: neither a file checkpoint nor a folder checkpoint_<step>."
        )
    target, data = _target(file)
    load_scanned = functools.lru_cache(maxsize=1)(StoredArray.load)  # the layers of an array follow each other
    tensors = {}
    for name, value in _leaves(target):
        for layer_name, tensor in _layers(name, _stored(file, name, value, data), load_scanned):
            key = t5mix_path(layer_name) or layer_name
            tensors[name if key in tensors else key] = tensor
    tensors = share_equal_biases(tensors)
    path = file.parent if file.name in ("checkpoint", _METADATA) else file
    config = infer_config(path, tensors, _settings(file))
    checkpoint = ForeignCheckpoint(path=path, format="T5X", config=config, tensors=tensors)
    check_complete(checkpoint)
    return checkpoint


def is_t5x(path: Path) -> bool:
    """Returns whether a path looks like what `read_t5x` takes."""
    file = _find(path)
    return file is not None and (file.name == _METADATA or _first_bytes(file)[:1] in _MAPPINGS)


def _find(path: Path) -> Path | None:
    """The file that lists the arrays of the checkpoint, or of the latest checkpoint, at a path."""
    if not path.is_dir():
        return path if path.is_file() else None
    children = [(re.fullmatch(r"checkpoint_(\d+)", child.name), child) for child in path.iterdir()]
    steps = sorted(((int(match[1]), child) for match, child in children if match), reverse=True)
    for candidate in (path, *(child for _, child in steps)):
        listings = (candidate / folder / name for folder in (".", "state") for name in ("checkpoint", _METADATA))
        for file in (candidate, *listings):
            if file.is_file():
                return file
    return None


def _first_bytes(file: Path) -> bytes:
    with open(file, "rb") as opened:
        return opened.read(len(_OF_TENSORFLOW))


def _target(file: Path) -> tuple[Mapping[str, Any], Any]:
    """The tree of parameters that a file lists, and the file itself, mapped into memory."""
    if (file.parent / "manifest.ocdbt").exists():
        raise T5MixError(f"{file.parent} is in Orbax's OCDBT format. Save it as T5X does, with use_ocdbt=False.")
    if _first_bytes(file) == _OF_TENSORFLOW:
        raise T5MixError(f"{file} is of TensorFlow: {file.parent} holds a Mesh TensorFlow checkpoint, not one of T5X.")
    with open(file, "rb") as opened:
        try:
            data = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError as error:
            raise T5MixError(f"{file} is empty.") from error
    tree = _orbax_tree(file) if file.name == _METADATA else _msgpack_tree(file, data)
    for owner in (tree.get("optimizer"), tree.get("_optimizer"), tree):
        if isinstance(owner, dict) and isinstance(owner.get("target"), dict):
            return owner["target"], data
    raise T5MixError(f"{file} holds no parameters: it has no target, only {', '.join(map(str, tree))}.")


def _msgpack_tree(file: Path, data: Any) -> dict[str, Any]:
    try:
        tree = index_msgpack(data)
    except T5MixError as error:
        raise T5MixError(f"{file} is not a T5X checkpoint: {error}") from error
    if not isinstance(tree, dict):
        raise T5MixError(f"{file} is not a T5X checkpoint: it holds a {type(tree).__name__}.")
    of_orbax = (file.parent / _METADATA).exists() or any(_is_placeholder(leaf) for _, leaf in _leaves(tree))
    if not of_orbax and tree.get("version", 0) != _VERSION:
        raise T5MixError(
            f"{file} has version {tree.get('version', 0)} of T5X's format; t5mix reads version {_VERSION}. "
            "Load it with T5X and save it anew."
        )
    return tree


def _orbax_tree(file: Path) -> dict[str, Any]:
    """The tree that Orbax lists in a checkpoint without a msgpack file."""
    tree: dict[str, Any] = {}
    try:
        for entry in read_json(file)["tree_metadata"].values():
            *parents, leaf = (str(key["key"]) for key in entry["key_metadata"])
            node = tree
            for parent in parents:
                node = node.setdefault(parent, {})
            node[leaf] = _PLACEHOLDER + ".".join([*parents, leaf])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise T5MixError(f"{file} does not list the arrays of a checkpoint: {error!r}") from error
    return tree


def _is_placeholder(leaf: Any) -> TypeGuard[str]:
    return isinstance(leaf, str) and leaf.startswith(_PLACEHOLDER)


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The arrays of a tree, in whatever form, by slash-joined path."""
    for key, value in tree.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict) and not (value.keys() >= {"driver", "kvstore"} or CHUNKED in value):
            yield from _leaves(value, f"{path}/")
        else:
            yield path, value


def _stored(file: Path, name: str, value: Any, data: Any) -> StoredArray:
    """The array that a leaf of the msgpack file holds or names."""
    try:
        if isinstance(value, Extension) or (isinstance(value, dict) and CHUNKED in value):
            return inline_array(data, value)
        if _is_placeholder(value):
            return zarr_array(_beside(file, value.removeprefix(_PLACEHOLDER)))
        if isinstance(value, dict):
            # Whatever drive it was written on, it has been copied here; old files have the path outside.
            array = zarr_array(_beside(file, value["kvstore"].get("path") or value["path"]))
            if array.shape != tuple(value["metadata"]["shape"]):
                raise T5MixError(f"it is {value['metadata']['shape']}, and its folder holds {list(array.shape)}")
            return array
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise T5MixError(f"{file} describes {name} in a way that t5mix does not know: {error!r}") from error
    except T5MixError as error:
        raise T5MixError(f"{file}, {name}: {error}") from error
    raise T5MixError(f"{file}, {name}: it is a {type(value).__name__}, not an array.")


def _beside(file: Path, name: str) -> Path:
    relative = Path(name)
    if relative.is_absolute() or ".." in relative.parts:
        raise T5MixError(f"it lies in {name}, outside the checkpoint")
    return file.parent / relative


def _layers(name: str, array: StoredArray, load_scanned: _Load) -> Iterator[tuple[str, Tensor]]:
    """The tensors that an array holds, in t5mix's layout: one, or one of each layer in axis 1 if it is scanned."""
    scanned = re.fullmatch(r"(encoder|decoder)/\1/(.+)", name)
    if scanned is None or len(array.shape) < 2:
        yield name, _arranged(name, array.shape, array.load)
        return
    for layer in range(array.shape[1]):
        shape = array.shape[:1] + array.shape[2:]
        read = functools.partial(_layer, load_scanned, array, layer)
        yield f"{scanned[1]}/layers_{layer}/{scanned[2]}", _arranged(name, shape, read)


def _layer(load_scanned: _Load, array: StoredArray, layer: int) -> np.ndarray:
    return np.array(load_scanned(array)[:, layer])


def _arranged(name: str, shape: tuple[int, ...], read: Callable[[], np.ndarray]) -> Tensor:
    """An array of one layer as t5mix has it: heads joined, the relative bias transposed."""
    if name.endswith("/rel_embedding") and len(shape) == 2:
        return Tensor(shape, read).T
    if len(shape) == 3 and "attention/" in name:
        first, second, third = shape
        shape = (first * second, third) if name.endswith("/out/kernel") else (first, second * third)
    return Tensor(shape, lambda: read().reshape(shape))


def _settings(file: Path) -> dict[str, Any]:
    """What the nearest gin file says about the model."""
    for folder in (file.parent, file.parent.parent):
        for name in ("config.gin", "operative_config.gin"):
            if (folder / name).is_file():
                return model_settings(folder / name, _SETTINGS)
    return {}
