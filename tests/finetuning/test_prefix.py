"""Prefix tuning: no change at first, and the same model whether packed, alone or decoding with a cache."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from t5mix.decoding import GenerationConfig, decode
from t5mix.finetuning import PrefixTuning
from t5mix.finetuning.base import RunShape
from t5mix.finetuning.prefix import PrefixAttention
from t5mix.model import T5Config, abstract_model, init_params, merge_params
from t5mix.model.layers import NO_DROPOUT, Attention
from t5mix.model.presets import PRESETS

Params = dict[str, jax.Array]
EXAMPLES = [([5, 6, 7, 8, 1], [9, 10, 11, 1]), ([20, 21, 22, 23, 24, 25, 1], [30, 31, 32, 33, 1])]


@pytest.fixture(scope="module")
def config(tiny) -> T5Config:
    return tiny.model_config()


def params_of(config: T5Config, policy: PrefixTuning, gate: float = 0.0) -> Params:
    """Fresh parameters, with gates that grow from one head to the next."""
    params = init_params(config, jax.random.key(5), policy.adapt)
    # A weak embedding lets the blocks and the prefix decide, which do not repeat the input as an untrained model does.
    params["token_embedding/embedding"] *= 0.1
    gates = gate * jnp.arange(1, config.num_heads + 1, dtype=jnp.float32)
    return {path: gates if path.endswith("/prefix_gate") else leaf for path, leaf in params.items()}


def batch_of(rows: list[list[Any]]) -> dict[str, Any]:
    """Packs the examples of each row, with the decoder's inputs shifted right within each example."""
    batch: dict[str, Any] = {}
    for side, width in (("encoder", 14), ("decoder", 11)):
        tokens, segments = np.zeros((2, len(rows), width), np.int32)
        for number, row in enumerate(rows):
            at = 0
            for segment, (inputs, targets) in enumerate(row, start=1):
                here = inputs if side == "encoder" else [0, *targets[:-1]]
                tokens[number, at : at + len(here)] = here
                segments[number, at : at + len(here)] = segment
                at += len(here)
        batch |= {f"{side}_inputs": tokens, f"{side}_segment_ids": segments}
    return batch


def forward(config: T5Config, policy: PrefixTuning, params: Params, batch: Any) -> np.ndarray:
    graphdef = abstract_model(config, policy.adapt)[0]
    return np.asarray(jax.jit(lambda params: merge_params(graphdef, params)(batch))(params))


def test_at_step_0_not_a_bit_changes(config: T5Config):
    policy, batch = PrefixTuning(), batch_of([EXAMPLES, EXAMPLES[:1]])
    params = params_of(config, policy)
    plain = abstract_model(config)[0], {path: params[path] for path in abstract_model(config)[1]}
    expected = np.asarray(jax.jit(lambda params: merge_params(plain[0], params)(batch))(plain[1]))
    np.testing.assert_array_equal(forward(config, policy, params, batch), expected)
    moved = forward(config, policy, params_of(config, policy, 0.3), batch)
    assert np.abs(moved - expected).max() > 1e-2


@pytest.mark.parametrize("place", ["encoder", "decoder", "cross"])
def test_each_place_has_its_prefixes_and_no_other(config: T5Config, place: Any):
    deep = dataclasses.replace(config, num_layers=2, num_decoder_layers=2)
    paths = abstract_model(deep, PrefixTuning(where=(place,)).adapt)[1].keys() - abstract_model(deep)[1].keys()
    owner = {"encoder": "encoder", "decoder": "decoder", "cross": "decoder"}[place]
    name = {"encoder": "attention", "decoder": "self_attention", "cross": "cross_attention"}[place]
    parts = ("keys", "values", "gate")
    assert paths == {f"{owner}/blocks/{block}/{name}/prefix_{part}" for block in range(2) for part in parts}


def test_a_packed_row_gives_what_its_examples_give_alone(config: T5Config):
    policy = PrefixTuning(length=4)
    params = params_of(config, policy, 0.5)
    packed = forward(config, policy, params, batch_of([EXAMPLES, []]))
    alone = forward(config, policy, params, batch_of([[example] for example in EXAMPLES]))
    np.testing.assert_allclose(packed[0, :4], alone[0, :4], atol=1e-5)
    np.testing.assert_allclose(packed[0, 4:9], alone[1, :5], atol=1e-5)
    assert np.isfinite(packed).all()


def test_the_gates_move_first_and_then_keys_and_values(config: T5Config):
    policy, batch = PrefixTuning(length=4), batch_of([EXAMPLES, EXAMPLES[:1]])
    graphdef = abstract_model(config, policy.adapt)[0]

    def loss(params):
        log_probs = jax.nn.log_softmax(merge_params(graphdef, params)(batch))
        return -jnp.sum(jnp.where(batch["decoder_segment_ids"] > 0, log_probs[..., 3], 0.0))

    gradient = jax.jit(jax.grad(loss))
    for gate in (0.0, 0.2):
        gradients = gradient(params_of(config, policy, gate))
        largest = {path: float(jnp.abs(leaf).max()) for path, leaf in gradients.items() if "/prefix_" in path}
        assert len(largest) == 3 * 3
        for path, size in largest.items():
            assert (size > 1e-4) if gate or path.endswith("/prefix_gate") else size == 0.0, path


def test_greedy_decoding_agrees_with_teacher_forcing(config: T5Config):
    policy, generation = PrefixTuning(length=4), GenerationConfig(max_new_tokens=7)
    params = params_of(config, policy, 0.5)
    inputs = np.random.default_rng(0).integers(2, 60, (6, 9)).astype(np.int32)
    inputs[::2, 5:] = 0
    graphdef = abstract_model(config, policy.adapt)[0]
    decoded = jax.jit(
        lambda params: decode(merge_params(graphdef, params), jnp.asarray(inputs), generation, eos_id=-1)
    )(params)
    tokens = np.asarray(decoded.tokens[:, 0])
    assert len(np.unique(tokens)) > 3, "the case is too simple to tell"
    batch = {
        "encoder_inputs": inputs,
        "encoder_segment_ids": (inputs > 0).astype(np.int32),
        "decoder_inputs": np.pad(tokens[:, :-1], ((0, 0), (1, 0))),
        "decoder_segment_ids": np.ones_like(tokens),
    }
    log_probs = np.asarray(jax.nn.log_softmax(forward(config, policy, params, batch)))
    np.testing.assert_array_equal(tokens, log_probs.argmax(-1))
    np.testing.assert_allclose(decoded.log_probs[:, 0], log_probs.max(-1), rtol=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_attention_over_the_prefix_is_what_the_docstring_says(config: T5Config, dtype: Any):
    attention = Attention(dataclasses.replace(config, dtype=dtype), rngs=nnx.Rngs(0))
    prefixed = PrefixAttention(attention, 5, rngs=nnx.Rngs(1))
    prefixed.prefix_gate[...] = jnp.asarray([0.7, -0.4])
    queries, keys, values = (jax.random.normal(jax.random.key(i), (3, 2, 6, 8)).astype(dtype) for i in range(3))
    found = prefixed.mix(queries, keys, values, jnp.zeros(()), NO_DROPOUT)
    assert found.dtype == dtype
    base = np.asarray(attention.mix(queries, keys, values, jnp.zeros(()), NO_DROPOUT), np.float32)
    queries = np.asarray(queries, np.float32)
    for head, gate in enumerate([0.7, -0.4]):
        scores = np.exp(queries[:, head] @ np.asarray(prefixed.prefix_keys[head]).T)
        added = scores / scores.sum(-1, keepdims=True) @ np.asarray(prefixed.prefix_values[head])
        tolerance = 1e-5 if dtype == "float32" else 0.05
        np.testing.assert_allclose(found[:, head], base[:, head] + np.tanh(gate) * added, atol=tolerance)


def test_scores_start_with_a_deviation_of_about_one():
    config = T5Config(vocab_size=32, d_model=256, d_kv=32, num_heads=8)
    attention = PrefixAttention(Attention(config, rngs=nnx.Rngs(0)), 16, rngs=nnx.Rngs(1))
    x = jax.random.normal(jax.random.key(0), (64, 256))
    queries = attention.query(x).reshape(64, 8, 32)
    scores = np.asarray(jnp.einsum("bhk,hpk->bhp", queries, attention.prefix_keys[...]))
    # 8192 scores, of which 64 * 8 queries and 128 keys are independent; the bounds are far wider than the chance.
    assert 0.85 < scores.std() < 1.15


@functools.cache
def paths_of(config: T5Config) -> set[str]:
    """The parameters of the plain model."""
    return set(abstract_model(config)[1])


@pytest.mark.parametrize(
    ("where", "attentions"),
    [(("encoder", "decoder", "cross"), 18), (("encoder",), 6), (("decoder", "cross"), 12)],
)
@pytest.mark.parametrize("length", [1, 16])
def test_the_number_of_trained_parameters(where: Any, attentions: int, length: int):
    small = dataclasses.replace(PRESETS["t5_small"], vocab_size=32_128)
    policy = PrefixTuning(length=length, where=where)
    shapes = abstract_model(small, policy.adapt)[1]
    trained = {path for path in shapes if policy.unfreeze_step(path, RunShape(10, small)) == 0}
    assert trained == shapes.keys() - paths_of(small)
    assert sum(shapes[path].size for path in trained) == attentions * 8 * (2 * length * 64 + 1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"length": 0}, r"finetuning\.length is 0"),
        ({"where": ()}, r"finetuning\.where is \(\): name one or more of encoder, decoder, cross"),
        ({"where": ("encoder", "output")}, r"finetuning\.where is .*output"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        PrefixTuning(**settings)
