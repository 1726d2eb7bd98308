"""Folders of PEFT: names, shapes and settings as PEFT 0.21 writes them, and values that compute the same."""

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import safetensors.numpy

from t5mix.errors import T5MixError
from t5mix.finetuning import IA3, FineTuningPolicy, Houlsby, LoRA, PromptTuning
from t5mix.interop.peft_writer import write_peft
from t5mix.model.t5 import init_params
from tests.support.huggingface_folders import TINY

QUERY = "encoder.block.1.layer.0.SelfAttention.q"


def written(folder: Path, policy: FineTuningPolicy) -> tuple[dict[str, Any], dict[str, np.ndarray], dict[str, Any]]:
    """Writes an adapted model; returns its parameters, the tensors and the settings of the folder."""
    params = init_params(TINY, jax.random.key(0), policy.bind_for_inference().adapt)
    draw = np.random.default_rng(0)
    params = {path: draw.normal(size=leaf.shape).astype(np.float32) for path, leaf in params.items()}
    write_peft(folder, policy, TINY, params, base_name="me/base")
    settings = json.loads((folder / "adapter_config.json").read_text())
    assert (settings["task_type"], settings["base_model_name_or_path"]) == ("SEQ_2_SEQ_LM", "me/base")
    return params, safetensors.numpy.load_file(folder / "adapter_model.safetensors"), settings


def test_lora(tmp_path: Path):
    params, tensors, settings = written(tmp_path, LoRA(rank=2, alpha=3.0, rank_stabilized=True))
    assert (settings["peft_type"], settings["r"], settings["lora_alpha"]) == ("LORA", 2, 3.0)
    assert (settings["use_rslora"], settings["use_dora"]) == (True, False)
    maps = 2 * (TINY.num_layers + 2 * TINY.num_decoder_layers)  # query and value of each attention
    assert len(settings["target_modules"]) == maps
    assert len(tensors) == 2 * maps
    a, b = (tensors[f"base_model.model.{QUERY}.lora_{factor}.weight"] for factor in "AB")
    assert (a.shape, b.shape) == ((2, 8), (6, 2))
    path = "encoder/blocks/1/attention/query"
    np.testing.assert_array_equal(a.T @ b.T, params[f"{path}/lora_a"] @ params[f"{path}/lora_b"])


def test_dora_has_lengths_and_not_ratios(tmp_path: Path):
    params, tensors, settings = written(tmp_path, LoRA(rank=2, dora=True, targets=(".*/wo",)))
    assert settings["use_dora"] is True
    module, path = "decoder.block.0.layer.2.DenseReluDense.wo", "decoder/blocks/0/feed_forward/wo"
    assert module in settings["target_modules"]
    lengths = np.sqrt((params[f"{path}/kernel"] ** 2).sum(axis=0))
    magnitude = tensors[f"base_model.model.{module}.lora_magnitude_vector"]
    np.testing.assert_allclose(magnitude, lengths * params[f"{path}/lora_magnitude"], rtol=1e-6)


def test_ia3(tmp_path: Path):
    params, tensors, settings = written(tmp_path, IA3())
    inner = "encoder.block.0.layer.1.DenseReluDense.wo"
    assert settings["peft_type"] == "IA3"
    assert inner in settings["feedforward_modules"]
    assert set(settings["feedforward_modules"]) < set(settings["target_modules"])
    value, scale = "decoder.block.0.layer.1.EncDecAttention.v", params["encoder/blocks/0/feed_forward/wo/ia3_inputs"]
    np.testing.assert_array_equal(tensors[f"base_model.model.{inner}.ia3_l"], scale[None])
    assert tensors[f"base_model.model.{value}.ia3_l"].shape == (6, 1)


def test_a_prompt(tmp_path: Path):
    params, tensors, settings = written(tmp_path, PromptTuning(length=5))
    assert (settings["num_virtual_tokens"], settings["token_dim"], settings["num_transformer_submodules"]) == (5, 8, 1)
    assert tensors.keys() == {"prompt_embeddings"}
    np.testing.assert_array_equal(tensors["prompt_embeddings"], params["prompt/prompt_embedding"])


def test_what_peft_does_not_have(tmp_path: Path):
    with pytest.raises(T5MixError, match=r"nothing that computes what finetuning=houlsby does; it has lora, ia3 and"):
        written(tmp_path, Houlsby())
    assert not list(tmp_path.iterdir())
