"""Writing a folder that versions 4.57 and 5 of Transformers load as the same model."""

import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from t5mix.checkpoint.safetensors_files import DTYPES, write_safetensors
from t5mix.checkpoint.tensors import Tensor
from t5mix.data.manifest import VocabularyEntry
from t5mix.errors import T5MixError
from t5mix.files import check_room, write_json
from t5mix.interop.foreign import T5_IDS
from t5mix.interop.huggingface import read_huggingface
from t5mix.interop.huggingface_config import write_config
from t5mix.interop.huggingface_names import HEAD, huggingface_names
from t5mix.interop.vocabularies import SENTENCEPIECE_FILE
from t5mix.model.config import T5Config

_BYTE_EXTRA_IDS = 125  # ByT5Tokenizer's
_LARGEST_FLOAT16 = float(np.finfo(np.float16).max)


def write_huggingface(
    folder: Path, config: T5Config, params: Mapping[str, Tensor], vocabulary: VocabularyEntry, dtype: str = "float32"
) -> None:
    """Writes a model, its tokenizer and their configurations, and reads them back.

    Args:
        folder: exists, and is empty.
        config: the shape of the model.
        params: of the plain model, by path.
        vocabulary: what its ids mean; its file is there.
        dtype: the type of the weights in the file, one of `DTYPES`.

    Raises:
        T5MixError: the weights do not fit into float16, the disk is full, or what is read back is something else.
    """
    tensors = _tensors(config, params)
    # Transformers keeps `wo` in float32 when it computes in float16, in which its output overflows.
    dtypes = {name: "float32" if dtype == "float16" and ".wo." in name else dtype for name in tensors}
    if dtype == "float16":
        _check_range(tensors)
    check_room(folder, sum(math.prod(t.shape) * DTYPES[dtypes[name]][1].itemsize for name, t in tensors.items()))
    write_safetensors(folder / "model.safetensors", tensors, dtypes)
    written = write_config(config, T5_IDS)
    write_json(folder / "config.json", {**written, "dtype": dtype})
    special_ids = {key: written[key] for key in ("pad_token_id", "eos_token_id", "decoder_start_token_id")}
    write_json(folder / "generation_config.json", special_ids)
    _write_tokenizer(folder, vocabulary)
    _check(folder, config, params, dtypes)


def _tensors(config: T5Config, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the tensors of a model by the names of Transformers."""
    tensors: dict[str, Tensor] = {}
    for path, (name, transposed) in huggingface_names(config).items():
        tensors[name] = params[path].T if transposed else params[path]
    if config.tie_embeddings and not config.scale_logits:
        # Version 4 scales what is tied, so the head is written as if it were not.
        tensors[HEAD] = tensors["shared.weight"]
    if config.scale_logits and not config.tie_embeddings:
        # No version scales a head of its own: the factor goes into it.
        head = tensors[HEAD]
        tensors[HEAD] = Tensor(head.shape, lambda: head.read() * np.float32(config.d_model**-0.5))
    return tensors


def _check_range(tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        largest = float(np.max(np.abs(tensor.read())))
        if largest > _LARGEST_FLOAT16 and ".wo." not in name:
            raise T5MixError(
                f"{name} reaches {largest:,.0f}; float16 ends at {_LARGEST_FLOAT16:,.0f}. Write bfloat16 or float32."
            )


def _write_tokenizer(folder: Path, vocabulary: VocabularyEntry) -> None:
    special: dict[str, Any] = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    if vocabulary.kind == "bytes":
        # Its 125 sentinels lie beyond the ids of a model that was trained with the last bytes as sentinels.
        settings = {"tokenizer_class": "ByT5Tokenizer", "extra_ids": vocabulary.extra_ids or _BYTE_EXTRA_IDS}
    else:
        shutil.copyfile(vocabulary.path, folder / SENTENCEPIECE_FILE)
        names = [f"<extra_id_{number}>" for number in range(vocabulary.extra_ids)]
        settings = {
            "tokenizer_class": "T5Tokenizer",
            "extra_ids": vocabulary.extra_ids,
            "additional_special_tokens": names or None,  # a list-valued extra_special_tokens would break version 4.57
            "legacy": True,  # as T5 was trained
        }
    write_json(folder / "tokenizer_config.json", {**settings, **special, "model_max_length": 512})


def _check(folder: Path, config: T5Config, params: Mapping[str, Tensor], dtypes: Mapping[str, str]) -> None:
    """Reads what was written, and compares every number."""
    back = read_huggingface(folder)
    names = huggingface_names(config)
    for path, tensor in back.tensors.items():
        expected = params[path].read()
        if path == "output/kernel" and config.scale_logits and not config.tie_embeddings:
            expected = expected * np.float32(config.d_model**-0.5)
        expected = expected.astype(DTYPES[dtypes[names[path].name]][1])
        if not np.array_equal(tensor.read(), expected):
            raise T5MixError(f"{folder}: {names[path].name} does not read back as it was written. Try once more.")
