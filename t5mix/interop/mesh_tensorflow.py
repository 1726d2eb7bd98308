"""Reader of Mesh TensorFlow checkpoints, the format in which T5 was released."""

import functools
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from t5mix.checkpoint.tensors import Tensor
from t5mix.errors import T5MixError
from t5mix.interop.architecture import infer_config, share_equal_biases
from t5mix.interop.foreign import ForeignCheckpoint, check_complete
from t5mix.interop.gin_files import model_settings

_SETTINGS = {
    "d_model": "d_model",
    "d_ff": "d_ff",
    "d_kv": "d_kv",
    "num_heads": "num_heads",
    "dropout_rate": "dropout_rate",
    "activation": "DenseReluDense.activation",
    "layer_norm_epsilon": "sublayer_rms_norm.epsilon",
}
_OPTIMIZER = re.compile(r"global_step|.*_slot_(v|vr|vc|m)")
_REFUSED = {
    r"transformer/.*": "a decoder without an encoder",
    r".*task_adapter.*": "a model with Mesh TensorFlow's task adapters",
    r"(encoder|decoder)/embedding": "a model whose encoder and decoder have embeddings of their own",
    r".*/TalkingHeads\w+/.*": "a model with talking-heads attention (t5.1.th)",
    r"encoder/block_\d+/layer_(?!000|001)\d+/.*": "a model with blocks of several attention sublayers (t5.1.n4w10)",
    r"decoder/block_\d+/layer_(?!000|001|002)\d+/.*": "a model with blocks of several attention sublayers (t5.1.n4w10)",
}
"""Patterns of names that T5 does not have, and what such a checkpoint is."""

_NAMES = {
    "shared/embedding": "token_embedding/embedding",
    "decoder/logits/kernel": "output/kernel",
    r"(encoder|decoder)/(?:rms_norm|final_layer_norm)/scale": r"\1/final_norm/scale",
}
_SUBLAYERS = {
    "encoder": (("SelfAttention", "attention"), ("DenseReluDense", "feed_forward")),
    "decoder": (
        ("SelfAttention", "self_attention"),
        ("EncDecAttention", "cross_attention"),
        ("DenseReluDense", "feed_forward"),
    ),
}
_ATTENTION = {"q": "query/kernel", "k": "key/kernel", "v": "value/kernel", "o": "output/kernel"}
_FEED_FORWARD = {name: name for name in ("wi/kernel", "wi_0/kernel", "wi_1/kernel", "wo/kernel")}
_BIAS = "relative_attention_bias"


def read_mesh_tensorflow(folder: Path) -> ForeignCheckpoint:
    """Describes a Mesh TensorFlow checkpoint. The optimizer's state in it is not read. Loads TensorFlow.

    Args:
        folder: holds `model.ckpt-<step>.index` and its data files; of several steps, the latest is taken. Or one such
            index file. An `operative_config.gin` beside it gives what the tensors do not show: the activation, the
            dropout rate and the epsilon of the norms.

    Raises:
        T5MixError: there is no such checkpoint, a data file of it is missing, or it is not of a T5 model.
    """
    prefix = _find(folder)
    if prefix is None:
        raise T5MixError(f"{folder} holds no Mesh TensorFlow checkpoint: there is no file model.ckpt-<step>.index.")
    variables = _variables(prefix)
    _check_names(prefix, variables)
    biases = {name.split("/")[0] for name in variables if _BIAS in name and "/block_000/" not in name}
    tensors = {}
    for name, tensor in variables.items():
        path = _t5mix_path(name)
        if path is not None and path.endswith("/relative_bias/embedding"):
            tensor = tensor.T
            if name.split("/")[0] not in biases:  # the first block's, which the others use too
                path = path.replace("/blocks/0/", "/")
        tensors[name if path is None or path in tensors else path] = tensor
    tensors = share_equal_biases(tensors)
    gin = prefix.with_name("operative_config.gin")
    settings = model_settings(gin, _SETTINGS) if gin.is_file() else {}
    config = infer_config(prefix, tensors, settings)
    checkpoint = ForeignCheckpoint(path=prefix.parent, format="Mesh TensorFlow", config=config, tensors=tensors)
    check_complete(checkpoint)
    return checkpoint


def is_mesh_tensorflow(path: Path) -> bool:
    """Returns whether a path looks like what `read_mesh_tensorflow` takes."""
    return _find(path) is not None


def _find(path: Path) -> Path | None:
    """The checkpoint's path, or that of the latest step in a folder, without the suffix of any of its files."""
    if path.is_file():
        return path.with_suffix("") if path.suffix == ".index" else None
    files = path.iterdir() if path.is_dir() else ()
    found = [(re.fullmatch(r"model\.ckpt-(\d+)\.index", file.name), file) for file in files]
    steps = [(int(match[1]), file) for match, file in found if match]
    return max(steps)[1].with_suffix("") if steps else None


def _variables(prefix: Path) -> dict[str, Tensor]:
    """The parameters of the model by the name that they have there."""
    from t5mix.tensorflow_setup import tf

    try:
        reader: Any = tf.train.load_checkpoint(str(prefix))
        shapes: Mapping[str, list[int]] = reader.get_variable_to_shape_map()
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        raise T5MixError(f"{prefix}.index is not the index of a TensorFlow checkpoint: {error}") from error

    def read(name: str) -> np.ndarray:
        try:
            return reader.get_tensor(name)
        except (tf.errors.OpError, ValueError, RuntimeError, IndexError) as error:
            raise T5MixError(f"{prefix}: {name} cannot be read: {error}") from error

    names = sorted(name for name in shapes if not _OPTIMIZER.fullmatch(name))
    tensors = {name: Tensor(tuple(shapes[name]), functools.partial(read, name)) for name in names}
    _check_data_files(prefix, tensors)
    return tensors


def _check_data_files(prefix: Path, tensors: Mapping[str, Tensor]) -> None:
    """Refuses a checkpoint without some of its data files."""
    found = sorted(file.name for file in prefix.parent.glob(f"{prefix.name}.data-[0-9]*-of-[0-9]*"))
    counted = found[-1] if found else ""
    if tensors and not found:  # only TensorFlow knows how many there are to be, and says so when it finds none
        try:
            tensors[min(tensors, key=lambda name: math.prod(tensors[name].shape))].read()
        except T5MixError as error:
            counted = str(error)
    count = re.search(r"\.data-\d+-of-(\d+)", counted)
    total = count[1] if count else "0"
    for number in range(int(total)):
        name = f"{prefix.name}.data-{number:05d}-of-{total}"
        if name not in found:
            raise T5MixError(f"{prefix.with_name(name)} is missing: copy all files of the checkpoint.")


def _check_names(prefix: Path, variables: Mapping[str, Tensor]) -> None:
    for pattern, kind in _REFUSED.items():
        name = next((name for name in variables if re.fullmatch(pattern, name)), None)
        if name is not None:
            raise T5MixError(f"{prefix} holds {name}: it is {kind}, which t5mix does not have.")
    embedding = variables.get("shared/embedding")
    if embedding is not None and len(embedding.shape) == 3:
        raise T5MixError(
            f"{prefix}: shared/embedding is {list(embedding.shape)}: an ensemble of models. t5mix has one."
        )


def _t5mix_path(name: str) -> str | None:
    """The path in t5mix of a variable; None if T5 has no such variable."""
    for pattern, path in _NAMES.items():
        if re.fullmatch(pattern, name):
            return re.sub(pattern, path, name)
    match = re.fullmatch(r"(encoder|decoder)/block_(\d{3})/layer_(\d{3})/([^/]+)/(.+)", name)
    if match is None:
        return None
    stack, block, number, module, leaf = match.groups()
    kind, path = _SUBLAYERS[stack][int(number)]
    where = f"{stack}/blocks/{int(block)}"
    if module in ("rms_norm", "layer_norm") and leaf == "scale":
        return f"{where}/{path}_norm/scale"
    if module != kind:
        return None
    if leaf == _BIAS and module == "SelfAttention":
        return f"{where}/relative_bias/embedding"
    leaves = _FEED_FORWARD if module == "DenseReluDense" else _ATTENTION
    return f"{where}/{path}/{leaves[leaf]}" if leaf in leaves else None
