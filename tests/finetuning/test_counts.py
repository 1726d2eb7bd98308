"""The numbers of trained parameters on T5 1.0 base, worked out by hand from the definitions; nothing is allocated."""

import dataclasses
import functools
from typing import Any

import pytest

from t5mix.finetuning import IA3, Adapter, FineTuningPolicy, Full, Houlsby, LayerNorms, LoRA, Pfeiffer, RegexPolicy
from t5mix.finetuning.base import RunShape
from t5mix.model.presets import PRESETS
from t5mix.model.t5 import abstract_model

BASE = dataclasses.replace(PRESETS["t5_base"], vocab_size=32_128)
RUN = RunShape(1000, BASE)


@functools.cache
def shapes_with(policy: Any) -> dict[str, Any]:
    return abstract_model(BASE, policy.adapt)[1]


def trained(policy: Any, *, norms: bool = True) -> int:
    # Which norms train changes nothing of what an adapter adds, and the shapes of a model take a second.
    adding = dataclasses.replace(policy, train_norms="all") if hasattr(policy, "train_norms") else policy
    if type(policy).adapt is FineTuningPolicy.adapt:  # it adds nothing
        adding = Full()
    shapes = shapes_with(adding)
    return sum(
        leaf.size
        for path, leaf in shapes.items()
        if policy.unfreeze_step(path, RUN) == 0 and (norms or not path.endswith("/scale"))
    )


@pytest.mark.parametrize("dim", [32, *(pytest.param(dim, marks=pytest.mark.slow) for dim in (128, 512, 2048))])
def test_adapter_layers(dim: int):
    assert trained(Adapter(dim=dim), norms=False) == 24 * (2 * 768 * dim + dim + 768)
    assert trained(Adapter(dim=dim, biases=False), norms=False) == 24 * 2 * 768 * dim
    own = trained(Adapter(dim=dim, train_norms="own"))
    assert own == 24 * (2 * 768 * dim + dim + 768 + 768)
    assert trained(Adapter(dim=dim)) == own + 47_616


def test_adapter_layers_of_32():
    assert trained(Adapter(dim=32), norms=False) == 1_198_848
    assert trained(Adapter(dim=32, biases=False), norms=False) == 1_179_648


@pytest.mark.parametrize("rank", [8, *(pytest.param(rank, marks=pytest.mark.slow) for rank in (1, 16))])
def test_lora(rank: int):
    assert trained(LoRA(rank=rank)) == 110_592 * rank
    assert trained(LoRA(rank=rank, targets=(".*",))) == 405_504 * rank


@pytest.mark.parametrize(
    ("policy", "count"),
    [
        (Full(), 222_903_552),
        (IA3(), 129_024),
        (LayerNorms(), 47_616),
        (Houlsby(dim=64, train_norms="none"), 60 * (2 * 768 * 64 + 64 + 768)),
        (Houlsby(dim=64), 60 * (2 * 768 * 64 + 64 + 768) + 47_616),
        (Pfeiffer(dim=48), 24 * (2 * 768 * 48 + 48 + 768)),
        (RegexPolicy(train=("token_embedding/.*",)), 32_128 * 768),
        (RegexPolicy(freeze=("token_embedding/.*",)), 222_903_552 - 32_128 * 768),
    ],
)
def test_other_policies(policy: Any, count: int):
    assert trained(policy) == count
