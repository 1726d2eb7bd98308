"""Cached greedy decoding against the uncached model."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t5mix.model import Decoded, T5Config, abstract_model, greedy_decode, init_params, merge_params

LENGTH = 9
INPUTS = jnp.array([[5, 6, 7, 8, 9, 1], [10, 11, 1, 0, 0, 0], [12, 13, 14, 1, 0, 0], [0, 0, 0, 0, 0, 0]])
NEVER = -1  # an EOS that no row reaches

V1_1 = T5Config(
    vocab_size=24,
    d_model=16,
    d_ff=24,
    d_kv=4,
    num_heads=2,
    num_layers=1,
    num_decoder_layers=2,
    relative_buckets=8,
    relative_max_distance=6,
)
V1_0 = dataclasses.replace(V1_1, activation="relu", tie_embeddings=True, scale_logits=True)

Decode = Callable[[int], Decoded]


def compile_both(config: T5Config) -> tuple[Decode, Callable[[jax.Array], np.ndarray]]:
    """Greedy decoding by EOS token; and log-probabilities of the uncached model, given all its inputs."""
    graphdef, _ = abstract_model(config)
    params = init_params(config, jax.random.key(7))
    # A tied model that is not trained repeats its input; a weak embedding lets the blocks decide.
    params["token_embedding/embedding"] *= 0.1
    decode = jax.jit(lambda p, eos: greedy_decode(merge_params(graphdef, p), INPUTS, LENGTH, eos_id=eos))

    def teacher_forced(p, decoder_inputs):
        batch = {
            "encoder_inputs": INPUTS,
            "encoder_segment_ids": (INPUTS > 0).astype(jnp.int32),
            "decoder_inputs": decoder_inputs,
            "decoder_segment_ids": jnp.ones_like(decoder_inputs),
        }
        return jax.nn.log_softmax(merge_params(graphdef, p)(batch))

    forced = jax.jit(teacher_forced)
    return lambda eos: decode(params, eos), lambda inputs: np.asarray(forced(params, inputs))


@pytest.fixture(scope="module", params=[V1_0, V1_1], ids=["1.0", "1.1"])
def both(request: pytest.FixtureRequest) -> tuple[Decode, Callable[[jax.Array], np.ndarray]]:
    return compile_both(request.param)


def test_each_token_is_the_uncached_models_best_given_those_before(both) -> None:
    decode, uncached = both
    decoder_inputs = jnp.zeros((4, LENGTH), jnp.int32)
    best = []
    for step in range(LENGTH):
        log_probs = uncached(decoder_inputs)[:, step]
        best.append(log_probs.max(-1))
        if step + 1 < LENGTH:
            decoder_inputs = decoder_inputs.at[:, step + 1].set(log_probs.argmax(-1))
    last = log_probs.argmax(-1)
    expected = np.concatenate([decoder_inputs[:, 1:], last[:, None]], axis=1)
    decoded = decode(NEVER)
    assert len(np.unique(expected[:3])) > 3, "the case is too simple to tell"
    np.testing.assert_array_equal(decoded.tokens[:3], expected[:3])
    np.testing.assert_allclose(decoded.log_probs[:3], np.sum(best, axis=0)[:3], rtol=1e-4)


def test_after_eos_comes_padding_and_no_probability(both) -> None:
    decode, uncached = both
    free = np.asarray(decode(NEVER).tokens)
    eos = int(free[0, 3])
    decoded = decode(eos)
    forced = uncached(jnp.pad(jnp.asarray(free[:, :-1]), ((0, 0), (1, 0))))
    for row in range(3):
        ends = np.flatnonzero(free[row] == eos)
        length = ends[0] + 1 if len(ends) else LENGTH
        np.testing.assert_array_equal(decoded.tokens[row, :length], free[row, :length])
        assert not np.any(decoded.tokens[row, length:])
        np.testing.assert_allclose(decoded.log_probs[row], forced[row].max(-1)[:length].sum(), rtol=1e-4)
    assert eos in decoded.tokens[0]


def test_a_row_of_padding_decodes_to_padding(both) -> None:
    decode, _ = both
    decoded = decode(NEVER)
    assert not np.any(decoded.tokens[3])
    assert decoded.log_probs[3] == 0.0


def test_bfloat16_decodes_in_the_same_types() -> None:
    decode, _ = compile_both(dataclasses.replace(V1_1, dtype="bfloat16"))
    decoded = decode(NEVER)
    assert decoded.tokens.dtype == jnp.int32
    assert decoded.log_probs.dtype == jnp.float32
    assert np.isfinite(decoded.log_probs).all()
