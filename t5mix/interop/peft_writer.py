"""Writing what a policy trained as a folder of PEFT: low-rank corrections, IA3's scales, a prompt."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from t5mix.checkpoint.safetensors_files import write_safetensors
from t5mix.checkpoint.tensors import Tensor
from t5mix.errors import T5MixError
from t5mix.files import write_json
from t5mix.finetuning import IA3, POLICIES, FineTuningPolicy, LoRA, PromptTuning
from t5mix.interop.huggingface_names import huggingface_names
from t5mix.model.config import T5Config

_PREFIX = "base_model.model."


def write_peft(
    folder: Path,
    policy: FineTuningPolicy,
    config: T5Config,
    params: Mapping[str, Any],
    *,
    dtype: str = "float32",
    base_name: str | None = None,
) -> None:
    """Writes a folder that PEFT loads on top of the model that the policy was trained on.

    Args:
        folder: exists, and is empty.
        policy: what was trained.
        config: the shape of the model.
        params: all parameters of the adapted model, by path.
        dtype: the type of the weights in the file.
        base_name: where Transformers finds the model; None leaves it to whoever loads the folder.

    Raises:
        T5MixError: PEFT has no such policy.
    """
    if isinstance(policy, LoRA):
        kind, settings, tensors = "LORA", *_lora(policy, config, params)
    elif isinstance(policy, IA3):
        kind, settings, tensors = "IA3", *_ia3(config, params)
    elif isinstance(policy, PromptTuning):
        kind, settings, tensors = "PROMPT_TUNING", *_prompt(config, params)
    else:
        raise T5MixError(
            f"PEFT has nothing that computes what finetuning={POLICIES.kind_of(policy)} does; it has lora, ia3 and "
            "prompt. A policy that can be merged is written with the whole model: --format huggingface."
        )
    common = {
        "peft_type": kind,
        "task_type": "SEQ_2_SEQ_LM",
        "base_model_name_or_path": base_name,
        "inference_mode": True,
    }
    write_safetensors(folder / "adapter_model.safetensors", tensors, dict.fromkeys(tensors, dtype))
    write_json(folder / "adapter_config.json", {**common, **settings})


def _modules(config: T5Config, params: Mapping[str, Any], leaf: str) -> dict[str, tuple[str, Tensor]]:
    """Returns the maps that have a parameter of this name: the name in Transformers -> the path, the values."""
    names = huggingface_names(config)
    found = {}
    for path, values in params.items():
        module, _, name = path.rpartition("/")
        if name == leaf:
            found[names[f"{module}/kernel"].name.removesuffix(".weight")] = module, Tensor.of(values)
    return found


def _lora(policy: LoRA, config: T5Config, params: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    tensors = {}
    modules = _modules(config, params, "lora_a")
    for name, (module, factor) in modules.items():
        tensors[f"{_PREFIX}{name}.lora_A.weight"] = factor.T
        tensors[f"{_PREFIX}{name}.lora_B.weight"] = Tensor.of(params[f"{module}/lora_b"]).T
        if policy.dora:
            # PEFT keeps the lengths of the columns, t5mix their ratio to the lengths of the frozen kernel's columns.
            lengths = np.linalg.norm(np.asarray(params[f"{module}/kernel"], np.float32), axis=0)
            magnitude = np.asarray(params[f"{module}/lora_magnitude"]) * lengths
            tensors[f"{_PREFIX}{name}.lora_magnitude_vector"] = Tensor.of(magnitude)
    settings = {
        "r": policy.rank,
        "lora_alpha": policy.alpha,
        "use_rslora": policy.rank_stabilized,
        "use_dora": policy.dora,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "target_modules": sorted(modules),
    }
    return settings, tensors


def _ia3(config: T5Config, params: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    outputs, inputs = (_modules(config, params, leaf) for leaf in ("ia3_outputs", "ia3_inputs"))
    tensors = {f"{_PREFIX}{name}.ia3_l": _column(values) for name, (_, values) in outputs.items()}
    tensors |= {f"{_PREFIX}{name}.ia3_l": _column(values).T for name, (_, values) in inputs.items()}
    settings = {
        "target_modules": sorted([*outputs, *inputs]),
        "feedforward_modules": sorted(inputs),
        "fan_in_fan_out": False,
    }
    return settings, tensors


def _prompt(config: T5Config, params: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    embedding = Tensor.of(params["prompt/prompt_embedding"])
    settings = {
        "num_virtual_tokens": embedding.shape[0],
        "token_dim": config.d_model,
        "num_transformer_submodules": 1,  # of the two, PEFT uses the first, the encoder's
        "num_layers": config.num_layers,
        "num_attention_heads": config.num_heads,
        "prompt_tuning_init": "RANDOM",
    }
    return settings, {"prompt_embeddings": embedding}


def _column(values: Tensor) -> Tensor:
    return Tensor((*values.shape, 1), lambda: values.read()[:, None])
