"""Folders for Transformers: what is written is read back to the bit, by its own reader and by this one."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from t5mix.cache.vocabulary import vocabulary_entry
from t5mix.checkpoint.tensors import Tensor
from t5mix.errors import T5MixError
from t5mix.interop.huggingface import read_huggingface
from t5mix.interop.huggingface_names import EMBEDDING, HEAD
from t5mix.interop.huggingface_writer import write_huggingface
from t5mix.interop.vocabularies import find_vocabulary
from t5mix.model.config import T5Config
from tests.support.huggingface_folders import TINY, tensors, write_folder

VARIANTS = {
    "1.1": TINY,
    "1.0": dataclasses.replace(TINY, activation="relu", tie_embeddings=True, scale_logits=True),
    "tied, not scaled": dataclasses.replace(TINY, tie_embeddings=True),
    "UL2": dataclasses.replace(TINY, activation="gated-silu", tie_embeddings=True, scale_logits=True),
    "umT5": dataclasses.replace(TINY, relative_bias="per_block"),
    "square": dataclasses.replace(TINY, d_ff=8, d_kv=4, num_decoder_layers=3),
}
BYTES = vocabulary_entry("bytes", 0)


def params_of(folder: Path) -> dict[str, np.ndarray]:
    return {path: tensor.read() for path, tensor in read_huggingface(folder).tensors.items()}


def written(folder: Path, config: T5Config, params: dict[str, np.ndarray], dtype: str = "float32") -> Path:
    folder.mkdir()
    write_huggingface(folder, config, {path: Tensor.of(values) for path, values in params.items()}, BYTES, dtype)
    return folder


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_round_trip_keeps_each_byte(tmp_path: Path, variant: str):
    config = VARIANTS[variant]
    weights = tensors(config)
    if variant == "tied, not scaled":
        weights[HEAD] = weights[EMBEDDING]
    source = write_folder(tmp_path / "source", config, weights=weights)
    read = read_huggingface(source)
    assert read.config == config
    out = written(tmp_path / "out", read.config, params_of(source))
    again = safetensors.numpy.load_file(out / "model.safetensors")
    assert again.keys() == weights.keys()
    for name, values in weights.items():
        assert again[name].dtype == np.float32
        np.testing.assert_array_equal(again[name], values)
    assert read_huggingface(out).config == config


def test_a_scaled_head_of_its_own_takes_the_factor_in(tmp_path: Path):
    """No version of Transformers scales what is not tied. With D a power of 4 the factor is a power of 2: exact."""
    config = dataclasses.replace(TINY, d_model=16, scale_logits=True)
    params = params_of(write_folder(tmp_path / "source", dataclasses.replace(config, scale_logits=False)))
    read = read_huggingface(written(tmp_path / "out", config, params))
    assert not read.config.scale_logits
    np.testing.assert_array_equal(read.tensors["output/kernel"].read(), params["output/kernel"] / 4)


def test_types(tmp_path: Path):
    params = params_of(write_folder(tmp_path / "source"))
    half = safetensors.numpy.load_file(written(tmp_path / "bf16", TINY, params, "bfloat16") / "model.safetensors")
    assert {values.dtype for values in half.values()} == {np.dtype(ml_dtypes.bfloat16)}
    half = safetensors.numpy.load_file(written(tmp_path / "f16", TINY, params, "float16") / "model.safetensors")
    for name, values in half.items():  # as Transformers keeps them when it loads float16
        assert values.dtype == (np.float32 if ".wo." in name else np.float16)
    params["encoder/final_norm/scale"] = np.full_like(params["encoder/final_norm/scale"], 7e4)
    with pytest.raises(T5MixError, match=r"encoder.final_layer_norm.weight reaches 70,000; float16 ends at 65,504"):
        written(tmp_path / "too-large", TINY, params, "float16")


def test_the_tokenizer(tmp_path: Path, vocabulary_file: Path):
    params = params_of(write_folder(tmp_path / "source"))
    out = tmp_path / "out"
    out.mkdir()
    tensors_in_memory = {path: Tensor.of(values) for path, values in params.items()}
    write_huggingface(out, TINY, tensors_in_memory, vocabulary_entry(str(vocabulary_file), 100), "float32")
    assert (out / "spiece.model").read_bytes() == vocabulary_file.read_bytes()
    settings: dict[str, Any] = json.loads((out / "tokenizer_config.json").read_text())
    assert settings["extra_ids"] == len(settings["additional_special_tokens"]) == 100
    assert find_vocabulary(out) == (str(out / "spiece.model"), 100)
    settings = json.loads((written(tmp_path / "bytes", TINY, params) / "tokenizer_config.json").read_text())
    assert (settings["tokenizer_class"], settings["extra_ids"]) == ("ByT5Tokenizer", 125)
    assert find_vocabulary(tmp_path / "bytes") == ("bytes", 0)
