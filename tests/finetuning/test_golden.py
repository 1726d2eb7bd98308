"""Adapters, LoRA and IA3 against their PyTorch implementations: the adapters package and PEFT.

`tests/golden/make_peft.py` made the arrays, and says how the packages' settings map to ours.
"""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from t5mix.finetuning import IA3, Adapter, Houlsby, LoRA, Pfeiffer
from t5mix.finetuning.adapters import Bottleneck, LayerAdapter
from t5mix.model import T5Config, abstract_model, merge_params

with np.load(Path(__file__).parents[1] / "golden" / "peft.npz") as file:
    GOLDEN = dict(file)
SIZES: dict[str, Any] = {
    "vocab_size": 32,
    "d_model": 12,
    "d_ff": 20,
    "d_kv": 4,
    "num_heads": 2,
    "num_layers": 3,
    "num_decoder_layers": 2,
    "relative_buckets": 8,
    "relative_max_distance": 20,
}
MODELS = {
    "t5_1_0": T5Config(**SIZES, activation="relu", tie_embeddings=True, scale_logits=True),
    "t5_1_1": T5Config(**SIZES),
}


class PfeifferOnTheStream(Pfeiffer):
    """The package's `seq_bn` on T5: it reads the residual stream, where the policy reads the sublayer's output."""

    def module(self, model: T5Config, rngs: nnx.Rngs) -> Bottleneck:
        return LayerAdapter(model, self.dim, biases=self.biases, own_norm=False, rngs=rngs)


LORA: dict[str, Any] = {"rank": 3, "alpha": 6.0}
CASES = {
    "lora": ("t5_1_0", LoRA(**LORA)),
    "lora_all": ("t5_1_1", LoRA(**LORA, targets=(".*",))),
    "rslora": ("t5_1_0", LoRA(**LORA, rank_stabilized=True)),
    "dora": ("t5_1_1", LoRA(**LORA, targets=(".*",), dora=True)),
    "ia3": ("t5_1_0", IA3()),
    "ia3_gated": ("t5_1_1", IA3()),
    "houlsby": ("t5_1_0", Houlsby(dim=4)),
    "pfeiffer": ("t5_1_0", Pfeiffer(dim=4)),
    "pfeiffer_default": ("t5_1_0", PfeifferOnTheStream(dim=4)),
    "adapter": ("t5_1_0", Adapter(dim=4)),
}


def arrays(name: str) -> dict[str, np.ndarray]:
    """The parameters of a plain model, or those that a case added, by path."""
    params = GOLDEN[f"{name}/params"]
    return {path: params[path] for path in params.dtype.names}


def check(name: str, config: T5Config, params: dict[str, Any], policy: Any = None) -> None:
    """Compares the logits of our model with the golden ones."""
    graphdef, shapes = abstract_model(config, policy and policy.adapt)
    assert {path: leaf.shape for path, leaf in params.items()} == {path: leaf.shape for path, leaf in shapes.items()}
    batch = {
        "encoder_inputs": jnp.asarray(GOLDEN["inputs"]),
        "encoder_segment_ids": jnp.asarray(GOLDEN["mask"]),
        "decoder_inputs": jnp.asarray(GOLDEN["decoder_inputs"]),
        "decoder_segment_ids": jnp.ones(GOLDEN["decoder_inputs"].shape, jnp.int32),
    }
    logits = jax.jit(lambda params: merge_params(graphdef, params)(batch))(params)
    np.testing.assert_allclose(logits, GOLDEN[f"{name}/logits"], rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_the_plain_models_agree(name: str) -> None:
    check(name, MODELS[name], arrays(name))


@pytest.mark.parametrize("case", CASES)
def test_the_adapted_models_agree(case: str) -> None:
    model, policy = CASES[case]
    check(case, MODELS[model], arrays(model) | arrays(case), policy)


@pytest.mark.parametrize("case", [case for case, (_, policy) in CASES.items() if isinstance(policy, LoRA | IA3)])
def test_the_merged_models_agree(case: str) -> None:
    model, policy = CASES[case]
    check(case, MODELS[model], policy.merged(arrays(model) | arrays(case)))


def test_houlsby_as_the_package_has_it_agrees() -> None:
    """By default it has no adapter after the cross-attention, where one of zeros does nothing."""
    policy, config, given = Houlsby(dim=4), MODELS["t5_1_0"], arrays("houlsby_default")
    shapes = abstract_model(config, policy.adapt)[1]
    absent = {path: np.zeros(leaf.shape) for path, leaf in shapes.items() if "/cross_attention_adapter/" in path}
    assert not absent.keys() & given.keys()
    check("houlsby_default", config, arrays("t5_1_0") | given | absent, policy)
