"""Discriminative learning rates: the factor of each parameter, and that all else is the inner policy's."""

import dataclasses
import functools
from typing import Any

import jax
import numpy as np
import pytest

from t5mix.errors import T5MixError
from t5mix.finetuning import (
    IA3,
    Adapter,
    Discriminative,
    FeatureBased,
    Full,
    GradualUnfreezing,
    LoRA,
    PerTask,
    PromptTuning,
    RegexPolicy,
)
from t5mix.finetuning.base import RunShape
from t5mix.model import PRESETS, T5Config, abstract_model
from t5mix.training.phases import divide_into_phases

BASE = dataclasses.replace(PRESETS["t5_base"], vocab_size=32_128)
SMALL = T5Config(vocab_size=64, d_model=16, d_ff=32, d_kv=8, num_heads=2, num_layers=2, num_decoder_layers=5)
RUN = RunShape(100, SMALL)
LORA = LoRA(rank=2)


@functools.cache
def paths_of(config: T5Config, policy: Any) -> tuple[str, ...]:
    return tuple(sorted(abstract_model(config, policy.adapt)[1]))


def powers_of(config: T5Config, policy: Discriminative) -> dict[str, int]:
    """How often the rate of each parameter was divided by the decay."""
    run, powers = RunShape(100, config), {}
    for path in paths_of(config, policy.policy):
        power = round(-np.log(policy.learning_rate_scale(path, run)) / np.log(policy.decay))
        assert policy.learning_rate_scale(path, run) == pytest.approx(policy.decay**-power, rel=1e-12)
        powers[path] = power
    return powers


def test_the_rates_of_t5_base():
    policy = Discriminative()
    assert policy.decay == 2.6
    assert policy.learning_rate_scale("decoder/blocks/10/feed_forward/wi/kernel", RunShape(100, BASE)) == 1 / 2.6
    expected = {
        **{f"{stack}/blocks/{block}/": 11 - block for stack in ("encoder", "decoder") for block in range(12)},
        **{f"{stack}/final_norm/": 0 for stack in ("encoder", "decoder")},
        **{f"{stack}/relative_bias/": 12 for stack in ("encoder", "decoder")},
        "token_embedding/": 12,
    }
    powers = powers_of(BASE, policy)
    for path, power in powers.items():
        (place,) = [place for place in expected if path.startswith(place)]
        assert power == expected[place], path


@pytest.mark.parametrize(("encoder", "decoder", "lowest"), [(2, 5, 5), (6, 3, 6), (1, 1, 1)])
def test_each_stack_counts_from_its_own_top(encoder: int, decoder: int, lowest: int):
    config = dataclasses.replace(SMALL, num_layers=encoder, num_decoder_layers=decoder)
    powers = powers_of(config, Discriminative(decay=3.0))
    assert {power for path, power in powers.items() if path.startswith("encoder/blocks/0/")} == {encoder - 1}
    assert {power for path, power in powers.items() if path.startswith("decoder/blocks/0/")} == {decoder - 1}
    for stack, depth in (("encoder", encoder), ("decoder", decoder)):
        assert {power for path, power in powers.items() if path.startswith(f"{stack}/blocks/{depth - 1}/")} == {0}
        assert powers[f"{stack}/final_norm/scale"] == 0
        assert powers[f"{stack}/relative_bias/embedding"] == lowest
    assert powers["token_embedding/embedding"] == lowest
    assert powers["output/kernel"] == 0


def test_what_policies_add_counts_with_its_place():
    bank = PerTask(policy=PromptTuning(length=2), tasks=("a",), shared=True)
    tied = dataclasses.replace(SMALL, tie_embeddings=True)
    for config, inner, path, power in (
        (SMALL, Adapter(), "encoder/blocks/0/feed_forward_adapter/down/kernel", 1),
        (SMALL, LORA, "decoder/blocks/1/cross_attention/query/lora_a", 3),
        (SMALL, PromptTuning(length=2), "prompt/prompt_embedding", 5),
        (SMALL, bank, "prompt/tasks/a/prompt_embedding", 5),
        (SMALL, bank, "prompt/shared/prompt_embedding", 5),
        (tied, FeatureBased(train="output"), "token_embedding/output_correction", 0),
    ):
        assert powers_of(config, Discriminative(policy=inner))[path] == power


def test_patterns_multiply():
    scales = (("decoder/.*", 0.5), (r".*/query/kernel", 10.0), ("decoder/blocks/3", 7.0))
    policy = Discriminative(decay=2.0, scales=scales)
    for path, scale in (
        ("encoder/blocks/1/attention/key/kernel", 1.0),
        ("encoder/blocks/0/attention/query/kernel", 10 / 2),
        ("decoder/blocks/3/self_attention/key/kernel", 0.5 / 2),  # a pattern is for a whole path: the third is for none
        ("decoder/blocks/2/self_attention/query/kernel", 0.5 * 10 / 4),
        ("decoder/final_norm/scale", 0.5),
        ("token_embedding/embedding", 2**-5),
    ):
        assert policy.learning_rate_scale(path, RUN) == pytest.approx(scale, rel=1e-12)


def test_no_decay_leaves_the_patterns_alone():
    policy = Discriminative(decay=1.0, scales=(("output/.*", 3.0),))
    found = {path: policy.learning_rate_scale(path, RUN) for path in paths_of(SMALL, Full())}
    assert found.pop("output/kernel") == 3.0
    assert set(found.values()) == {1.0}


def test_rates_of_an_inner_policy_multiply_too():
    inner = Discriminative(decay=2.0, scales=(("decoder/.*", 0.5),))
    policy = Discriminative(policy=inner, decay=3.0)
    assert policy.learning_rate_scale("decoder/blocks/2/feed_forward/wo/kernel", RUN) == pytest.approx(0.5 / 36)
    assert policy.patterns == ("decoder/.*",)


def test_it_trains_what_the_policy_trains_and_when():
    gradual = GradualUnfreezing(embedding="output")
    for inner in (gradual, LORA, RegexPolicy(train=("decoder/.*",))):
        outer, paths = Discriminative(policy=inner), paths_of(SMALL, inner)
        assert paths_of(SMALL, outer) == paths
        assert [outer.unfreeze_step(path, RUN) for path in paths] == [inner.unfreeze_step(path, RUN) for path in paths]
    graphdef = abstract_model(SMALL, Discriminative(policy=gradual).adapt)[0]
    assert graphdef == abstract_model(SMALL, gradual.adapt)[0] != abstract_model(SMALL)[0]


def test_it_passes_on_what_the_policy_offers_besides():
    pattern = RegexPolicy(train=("decoder/.*",), freeze=(".*/scale",))
    assert Discriminative(policy=pattern, scales=((".*", 2.0),)).patterns == ("decoder/.*", ".*/scale", ".*")
    assert Discriminative().patterns == ()
    assert Discriminative(policy=PromptTuning(length=7)).prompt_length == 7
    assert Discriminative().prompt_length == 0


def test_a_pattern_that_matches_nothing_is_refused():
    paths = paths_of(SMALL, Full())
    with pytest.raises(T5MixError, match=r"The pattern 'dekoder/\.\*' matches no parameter"):
        divide_into_phases(paths, Discriminative(scales=(("dekoder/.*", 2.0),)).bind_for_shapes(), RUN)


def test_it_is_told_the_tasks():
    settings: Any = {"decay": 2.0, "scales": ((".*/scale", 0.5),)}
    bank = PerTask(policy=LORA)
    filled = Discriminative(policy=bank, **settings).bind(["a", "b"]).policy
    assert filled == Discriminative(policy=PerTask(policy=LORA, tasks=("a", "b")), **settings)
    assert Discriminative(policy=LORA, **settings).bind(["a", "b"]).policy == Discriminative(policy=LORA, **settings)
    # It goes on from the same bank, whatever the rates were then.
    before = PerTask(policy=LORA, tasks=("c", "a"), frozen_tasks=("d",))
    expected = Discriminative(policy=PerTask(policy=LORA, tasks=("a", "b"), frozen_tasks=("c", "d")), **settings)
    assert Discriminative(policy=bank, **settings).bind(["a", "b"], before).policy == expected
    assert Discriminative(policy=bank, **settings).bind(["a", "b"], Discriminative(policy=before)).policy == expected


def test_it_merges_what_the_policy_merges():
    draw = np.random.default_rng(0)
    for inner in (LORA, IA3()):
        shapes = abstract_model(dataclasses.replace(SMALL, num_decoder_layers=1), inner.adapt)[1]
        params = {path: draw.standard_normal(leaf.shape).astype(np.float32) for path, leaf in shapes.items()}
        found, expected = Discriminative(policy=inner).merged(params), inner.merged(params)
        assert found.keys() == expected.keys() < params.keys()
        jax.tree.map(np.testing.assert_array_equal, found, expected)
    with pytest.raises(T5MixError, match="'adapter' adds cannot be merged"):
        Discriminative(policy=Adapter()).merged({})


@pytest.mark.parametrize("decay", [0.5, 0.0, -2.6, float("inf"), float("nan")])
def test_a_bad_decay_is_refused(decay: float):
    with pytest.raises(ValueError, match=rf"finetuning\.decay is {decay}: it must be 1 or more"):
        Discriminative(decay=decay)


@pytest.mark.parametrize("factor", [0.0, -1.0, float("inf"), float("nan")])
def test_a_bad_factor_is_refused(factor: float):
    with pytest.raises(ValueError, match=rf"finetuning\.scales gives '\.\*' the factor {factor}: it must be above 0"):
        Discriminative(scales=((".*", factor),))


def test_a_bad_pattern_is_refused():
    with pytest.raises(ValueError, match=r"finetuning\.scales: '\(' is no regular expression"):
        Discriminative(scales=(("(", 2.0),))
