"""Feature-based transfer: what trains, and that the features below stay what they are, without a gradient."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t5mix.config.reading import policy_from_dict
from t5mix.errors import T5MixError
from t5mix.finetuning import FeatureBased, Full
from t5mix.finetuning.base import RunShape
from t5mix.model import T5Config, abstract_model, merge_params
from t5mix.training.losses import token_losses
from t5mix.training.phases import divide_into_phases

TABLE, CORRECTION, OUTPUT = "token_embedding/embedding", "token_embedding/output_correction", "output/kernel"
SIZES: Any = {"vocab_size": 64, "d_model": 16, "d_ff": 32, "d_kv": 8, "num_heads": 2}
TIED = T5Config(**SIZES, num_layers=1, num_decoder_layers=1, activation="relu", tie_embeddings=True, scale_logits=True)
UNTIED = dataclasses.replace(TIED, tie_embeddings=False)
LAST, DECODER, TOP = (FeatureBased(train=train) for train in ("last_decoder_block", "decoder", "output"))


def trained_of(config: T5Config, policy: Any) -> set[str]:
    paths, run = abstract_model(config, policy.adapt)[1], RunShape(10, config)
    steps = {path: policy.unfreeze_step(path, run) for path in paths}
    assert set(steps.values()) == {0, None}
    assert {policy.learning_rate_scale(path, run) for path in paths} == {1.0}
    return {path for path, step in steps.items() if step == 0}


@pytest.mark.parametrize("config", [TIED, UNTIED], ids=["tied", "untied"])
@pytest.mark.parametrize(("encoder", "decoder"), [(2, 2), (1, 3), (3, 1)])
def test_what_trains(config: T5Config, encoder: int, decoder: int):
    config = dataclasses.replace(config, num_layers=encoder, num_decoder_layers=decoder)
    plain = abstract_model(config)[1]
    top = (f"decoder/blocks/{decoder - 1}/", "decoder/final_norm/")
    block = {path for path in plain if path.startswith(top)}
    assert len(block) == 3 + 8 + 2 + 1, "three norms, two attentions, a feed-forward; the final norm"
    assert trained_of(config, LAST) == block
    whole = {path for path in plain if path.startswith("decoder/")}
    assert len(whole) == decoder * 13 + 2
    assert trained_of(config, DECODER) == whole
    assert trained_of(config, TOP) == {CORRECTION if config.tie_embeddings else OUTPUT}


def test_a_correction_is_there_only_where_it_trains():
    for config, policy in ((TIED, LAST), (TIED, DECODER), (UNTIED, LAST), (UNTIED, DECODER), (UNTIED, TOP)):
        assert abstract_model(config, policy.adapt)[1].keys() == abstract_model(config)[1].keys()
    shapes = abstract_model(TIED, TOP.adapt)[1]
    assert shapes.keys() - abstract_model(TIED)[1].keys() == {CORRECTION}
    assert shapes[CORRECTION].shape == shapes[TABLE].shape


def test_an_unknown_choice_is_refused():
    with pytest.raises(T5MixError, match=r"finetuning\.train.*last_decoder_block"):
        policy_from_dict({"kind": "feature_based", "train": "encoder"})


def batch_of(rows: int, inputs: int, targets: int) -> dict[str, jax.Array]:
    draw = np.random.default_rng(0)
    batch = {
        "encoder_inputs": draw.integers(2, 40, (rows, inputs)),
        "encoder_segment_ids": np.ones((rows, inputs)),
        "decoder_inputs": draw.integers(20, 60, (rows, targets)),
        "decoder_targets": draw.integers(2, 60, (rows, targets)),
        "decoder_segment_ids": np.ones((rows, targets)),
    }
    return {name: jnp.asarray(array, jnp.int32) for name, array in batch.items()}


BATCH = batch_of(2, 10, 6)


@functools.cache
def params_of(config: T5Config, policy: Any) -> Any:
    draw = np.random.default_rng(1)
    shapes = abstract_model(config, policy.adapt)[1]
    return {
        path: jnp.asarray(0.25 * draw.standard_normal(leaf.shape) + path.endswith("/scale"), jnp.float32)
        for path, leaf in sorted(shapes.items())
    }


@functools.cache
def forward(config: T5Config, policy: Any) -> Any:
    """Compiles the features, the decoder's output, the logits, and the gradient of the summed loss in what trains."""
    graphdef = abstract_model(config, policy.adapt)[0]

    def run(trained, frozen):
        model = merge_params(graphdef, {**trained, **frozen})
        encoded = model.encode(BATCH["encoder_inputs"], BATCH["encoder_segment_ids"])
        segments = BATCH["decoder_segment_ids"]
        hidden = model.decode(encoded, BATCH["encoder_segment_ids"], BATCH["decoder_inputs"], segments)
        logits = model.logits(hidden)
        loss = token_losses(logits, BATCH["decoder_targets"]).cross_entropy.sum()
        return loss, (encoded, hidden, logits)

    compiled = jax.jit(jax.value_and_grad(run, has_aux=True))

    def call(params: Any) -> Any:
        trained = {path: params[path] for path in trained_of(config, policy)}
        (_, outputs), gradients = compiled(
            trained, {path: leaf for path, leaf in params.items() if path not in trained}
        )
        return jax.device_get((*outputs, gradients))

    return call


def test_the_features_stay_what_they_are_when_the_correction_moves():
    params = params_of(TIED, TOP)
    encoded, hidden, logits, _ = forward(TIED, TOP)({**params, CORRECTION: jnp.zeros_like(params[CORRECTION])})
    moved_encoded, moved_hidden, moved_logits, _ = forward(TIED, TOP)(params)
    np.testing.assert_array_equal(moved_encoded, encoded)
    np.testing.assert_array_equal(moved_hidden, hidden)
    expected = logits + hidden @ np.asarray(params[CORRECTION]).T * TIED.d_model**-0.5
    np.testing.assert_allclose(moved_logits, expected, atol=1e-5)
    assert np.abs(moved_logits - logits).max() > 0.1


def test_the_correction_is_an_output_matrix_of_its_own():
    params = params_of(TIED, TOP)
    table = params[TABLE] + params[CORRECTION]
    untied = {path: leaf for path, leaf in params.items() if path != CORRECTION} | {OUTPUT: table.T}
    *_, logits, gradients = forward(TIED, TOP)(params)
    *_, expected, expected_gradients = forward(UNTIED, TOP)(untied)
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    assert np.abs(expected_gradients[OUTPUT]).max() > 0.05
    np.testing.assert_allclose(gradients[CORRECTION], expected_gradients[OUTPUT].T, atol=1e-5)


@functools.cache
def work(config: T5Config, policy: Any) -> float:
    """The operations of one gradient of what trains, or, without a policy, of the forward pass."""
    graphdef, shapes = abstract_model(config, policy and policy.adapt)
    trained, frozen = {}, shapes
    if policy is not None:
        trained, frozen = divide_into_phases(shapes, policy.bind_for_shapes(), RunShape(10, config)).split(shapes, 0)

    def loss(trained, frozen):
        logits = merge_params(graphdef, {**trained, **frozen})(BATCH)
        return token_losses(logits, BATCH["decoder_targets"]).cross_entropy.sum()

    analysis: Any = jax.jit(jax.grad(loss) if policy else loss).lower(trained, frozen).cost_analysis()
    return float((analysis[0] if isinstance(analysis, list) else analysis)["flops"])


def test_gradients_are_taken_at_the_top_alone():
    shallow, deep = (dataclasses.replace(TIED, num_layers=n, num_decoder_layers=n) for n in (2, 3))
    plain, full = work(deep, None), work(deep, Full())
    assert full > 2.9 * plain
    for policy in (LAST, TOP):
        assert work(deep, policy) < 0.6 * full
        # One more frozen block in each stack costs its forward pass and nothing more.
        assert work(deep, policy) - work(shallow, policy) == plain - work(shallow, None)
    # Of the decoder all weights are differentiated, of the encoder nothing.
    assert work(deep, LAST) < work(deep, DECODER) < 0.8 * full
    taller = dataclasses.replace(deep, num_layers=4)
    assert work(taller, DECODER) - work(deep, DECODER) == work(taller, None) - plain
