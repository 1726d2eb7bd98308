"""Remakes tests/golden/peft.npz: what PEFT and the adapters package compute on tiny random T5 models.

Run it in an environment of its own. It needs nothing of t5mix, and the tests need nothing of this:

    python3.11 -m venv /tmp/env/peft
    /tmp/env/peft/bin/pip install torch transformers peft adapters numpy
    /tmp/env/peft/bin/python tests/golden/make_peft.py [--output FILE]

The file holds `made_with` (the versions used), `inputs`, `mask` and `decoder_inputs`, then `NAME/params` and
`NAME/logits` of the two plain models and of every case, whose parameters are those that the method added. They are
records with a field for each array, as an entry for each would double the file. Paths and layouts are t5mix's. How the
methods map to t5mix's policies:

- LoRA: A and B are transposed; the scale is alpha / r, or alpha / sqrt(r) with `use_rslora`. "all-linear" leaves out
  the output matrix, as `targets=(".*",)` does.
- DoRA: PEFT trains the lengths of the columns, t5mix their ratio to the lengths of the frozen kernel's columns.
- IA3: PEFT's own defaults for "t5": outputs of k and v, inputs of wo.
- Houlsby: the bottleneck reads the sublayer's output u and gives u + f(u), which the residual stream h is added to.
  The package's `double_seq_bn` has none after the cross-attention unless `cross_adapter` is set. The policy has.
- Pfeiffer: the package's `seq_bn` reads h + u (`original_ln_before`; T5 has no norm there that could follow the sum)
  and gives h + u + f(h + u). The policy's reads u, as in Houlsby: that is `original_ln_before=False`.
- Adapter layers, h + u + f(norm(h + u)): `seq_bn` with `ln_before`, its LayerNorm exchanged for T5's own norm.
"""

import argparse
import re
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import adapters
import numpy as np
import torch
from adapters import DoubleSeqBnConfig, SeqBnConfig
from peft import IA3Config, LoraConfig, get_peft_model
from transformers import T5Config, T5ForConditionalGeneration
from transformers.models.t5.modeling_t5 import T5LayerNorm

OUTPUT = Path(__file__).with_name("peft.npz")
SIZES = {
    "vocab_size": 32,
    "d_model": 12,
    "d_kv": 4,
    "d_ff": 20,
    "num_heads": 2,
    "num_layers": 3,
    "num_decoder_layers": 2,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 20,
}
MODELS = {
    "t5_1_0": {"feed_forward_proj": "relu", "tie_word_embeddings": True},
    "t5_1_1": {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
}
LENGTHS, TARGETS = (24, 17, 5), 9
RANK, ALPHA, DIM = 3, 6, 4
SPREAD = 0.3

SUBLAYERS = {
    "encoder": ("attention", "feed_forward"),
    "decoder": ("self_attention", "cross_attention", "feed_forward"),
}
MAPS = {"q": "query", "k": "key", "v": "value", "o": "output"}
TOP = {
    "shared.weight": "token_embedding/embedding",
    "lm_head.weight": "output/kernel",
    "encoder.final_layer_norm.weight": "encoder/final_norm/scale",
    "decoder.final_layer_norm.weight": "decoder/final_norm/scale",
}
LEAVES = {
    "weight": "kernel",
    "base_layer.weight": "kernel",
    "lora_A.golden.weight": "lora_a",
    "lora_B.golden.weight": "lora_b",
    "lora_magnitude_vector.golden.weight": "lora_magnitude",
    "ia3_l.golden": "ia3_outputs",
}
ADAPTER_LEAVES = {
    "adapter_norm_before.weight": "norm/scale",
    "adapter_down.0.weight": "down/kernel",
    "adapter_down.0.bias": "down_bias",
    "adapter_down.1.weight": "down/kernel",  # after a norm
    "adapter_down.1.bias": "down_bias",
    "adapter_up.weight": "up/kernel",
    "adapter_up.bias": "up_bias",
}


def path_of(name: str) -> str:
    """Returns t5mix's path of a parameter of the PyTorch model.

    Raises:
        ValueError: it has none.
    """
    if name in TOP:
        return TOP[name]
    found = re.fullmatch(r"(encoder|decoder)\.block\.(\d+)\.layer\.(\d)\.(.*)", name)
    if not found:
        raise ValueError(f"no path for {name}")
    stack, block, number, rest = found.groups()
    place = f"{stack}/blocks/{block}/{SUBLAYERS[stack][int(number)]}"
    if rest == "layer_norm.weight":
        return f"{place}_norm/scale"
    if rest == "SelfAttention.relative_attention_bias.weight":
        return f"{stack}/relative_bias/embedding"
    if rest.startswith("adapters.golden."):
        return f"{place}_adapter/{ADAPTER_LEAVES[rest.removeprefix('adapters.golden.')]}"
    _, linear, leaf = rest.split(".", 2)
    ours = "ia3_inputs" if (linear, leaf) == ("wo", "ia3_l.golden") else LEAVES[leaf]
    return f"{place}/{MAPS.get(linear, linear)}/{ours}"


def arrays_of(model: torch.nn.Module) -> dict[str, np.ndarray]:
    """Returns the parameters by t5mix's paths, in t5mix's layouts: linear maps are [in, out], scales are vectors."""
    arrays = {}
    for name, parameter in model.named_parameters():
        path = path_of(name.removeprefix("base_model.model."))
        array = parameter.detach().numpy()
        if path.endswith(("/kernel", "/lora_a", "/lora_b")):
            array = array.T
        elif not path.endswith("/embedding"):
            array = array.reshape(-1)
        arrays[path] = np.array(array, np.float32, order="C")  # a copy: the parameter itself must not change below
    for path in arrays:
        if path.endswith("/lora_magnitude"):
            arrays[path] /= np.linalg.norm(arrays[path.replace("/lora_magnitude", "/kernel")], axis=0)
    return arrays


def record(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """Returns the arrays as the fields of one."""
    return np.array(tuple(arrays.values()), [(path, np.float32, array.shape) for path, array in arrays.items()])


def plain_model(name: str) -> T5ForConditionalGeneration:
    """Returns a model with random weights, norms included. The same name gives the same weights."""
    torch.manual_seed(sorted(MODELS).index(name))
    model = T5ForConditionalGeneration(T5Config(**SIZES, **MODELS[name], pad_token_id=0, decoder_start_token_id=0))
    move(parameter for key, parameter in model.named_parameters() if "layer_norm" in key)
    return model


def move(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Moves parameters at random: at their initial values most of the methods change nothing."""
    with torch.no_grad():
        for parameter in parameters:
            parameter.add_(SPREAD * torch.randn_like(parameter))


def with_peft(config: Any) -> Callable[[Any], Any]:
    """Returns what wraps a model with a method of PEFT."""
    return lambda model: get_peft_model(model, config, adapter_name="golden")


def with_adapters(config: Any) -> Callable[[Any], Any]:
    """Returns what adds bottlenecks of the adapters package to a model."""

    def wrap(model: Any) -> Any:
        adapters.init(model)
        model.add_adapter("golden", config=config)
        model.train_adapter("golden")
        for module in list(model.modules()):
            if hasattr(module, "adapter_norm_before"):
                norm = T5LayerNorm(SIZES["d_model"], model.config.layer_norm_epsilon)
                module.adapter_norm_before = module.adapter_down[0] = norm
        return model

    return wrap


def lora(targets: Any, **settings: Any) -> Callable[[Any], Any]:
    """Returns what wraps a model with LoRA."""
    return with_peft(LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=targets, **settings))


BOTTLENECK = {"reduction_factor": SIZES["d_model"] / DIM, "non_linearity": "relu"}
CASES = {
    "lora": ("t5_1_0", lora(["q", "v"])),
    "lora_all": ("t5_1_1", lora("all-linear")),
    "rslora": ("t5_1_0", lora(["q", "v"], use_rslora=True)),
    "dora": ("t5_1_1", lora("all-linear", use_dora=True)),
    "ia3": ("t5_1_0", with_peft(IA3Config())),
    "ia3_gated": ("t5_1_1", with_peft(IA3Config())),
    "houlsby": ("t5_1_0", with_adapters(DoubleSeqBnConfig(**BOTTLENECK, cross_adapter=True))),
    "houlsby_default": ("t5_1_0", with_adapters(DoubleSeqBnConfig(**BOTTLENECK))),
    "pfeiffer": ("t5_1_0", with_adapters(SeqBnConfig(**BOTTLENECK, original_ln_before=False))),
    "pfeiffer_default": ("t5_1_0", with_adapters(SeqBnConfig(**BOTTLENECK))),
    "adapter": ("t5_1_0", with_adapters(SeqBnConfig(**BOTTLENECK, ln_before=True))),
}


def make() -> dict[str, Any]:
    """Returns the contents of the golden file."""
    draw = np.random.default_rng(0)
    mask = np.arange(max(LENGTHS)) < np.array(LENGTHS)[:, None]
    inputs = np.where(mask, draw.integers(2, SIZES["vocab_size"], mask.shape), 0)
    decoder_inputs = draw.integers(2, SIZES["vocab_size"], (len(LENGTHS), TARGETS))
    decoder_inputs[:, 0] = 0

    def logits(model: Any) -> np.ndarray:
        with torch.no_grad():
            return model.eval()(
                input_ids=torch.tensor(inputs),
                attention_mask=torch.tensor(mask, dtype=torch.long),
                decoder_input_ids=torch.tensor(decoder_inputs),
            ).logits.numpy()

    packages = ("torch", "transformers", "peft", "adapters", "numpy")
    golden = {
        "made_with": np.array(" ".join(f"{name}=={version(name)}" for name in packages)),
        "inputs": inputs.astype(np.int32),
        "mask": mask.astype(np.int32),
        "decoder_inputs": decoder_inputs.astype(np.int32),
    }
    plain = {}
    for name in MODELS:
        model = plain_model(name)
        plain[name] = arrays_of(model)
        golden[f"{name}/params"], golden[f"{name}/logits"] = record(plain[name]), logits(model)
    for case, (name, wrap) in CASES.items():
        model = wrap(plain_model(name))
        move(parameter for parameter in model.parameters() if parameter.requires_grad)
        arrays = arrays_of(model)
        for path, array in plain[name].items():
            np.testing.assert_array_equal(arrays.pop(path), array, err_msg=f"{case} changes {path}")
        golden[f"{case}/params"], golden[f"{case}/logits"] = record(arrays), logits(model)
        moved = np.abs(golden[f"{case}/logits"] - golden[f"{name}/logits"]).max()
        if moved < 0.1:
            raise ValueError(f"{case} changes the logits by {moved}: it would test nothing")
    return golden


def main() -> None:
    """Writes the golden file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    np.savez_compressed(parser.parse_args().output, **make())


if __name__ == "__main__":
    main()
