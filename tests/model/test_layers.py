"""Layers on their own: dropout, norm, relative bias, initial scales."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from t5mix.model import T5Config
from t5mix.model.blocks import BlockDropout
from t5mix.model.layers import Attention, Dropout, Embedding, RelativeBias, RMSNorm

CONFIG = T5Config(vocab_size=32, d_model=32, d_ff=64, d_kv=16, num_heads=4, relative_buckets=8)


def test_dropout_without_a_key_or_a_rate_is_the_identity() -> None:
    x = jnp.ones((2, 3, 4))
    assert Dropout.draw(None, 0.5, 2, (1, 4), 2)[0](x) is x
    assert Dropout.draw(jax.random.key(0), 0.0, 2, (1, 4))(x) is x


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_dropout_scales_what_it_keeps_and_shares_its_mask_along_the_length(dtype: str) -> None:
    y = Dropout.draw(jax.random.key(0), 0.25, 64, (1, 64))(jnp.ones((64, 5, 64), dtype))
    assert y.dtype == dtype
    values = np.asarray(y.astype(jnp.float32))
    assert np.all(values == values[:, :1])
    kept = values != 0
    np.testing.assert_allclose(values[kept], 1 / 0.75, rtol=4e-3)
    # 64 * 64 independent draws; the bound is about 4 standard deviations.
    assert abs(kept[:, 0].mean() - 0.75) < 0.03


def test_every_block_and_sublayer_has_a_mask_of_its_own() -> None:
    stack = BlockDropout.draw(jax.random.key(0), CONFIG, blocks=2, rows=3, length=40, source=50)
    masks = [stack[i].weights.keep for i in range(2)] + [stack[i].outputs[j].keep for i in range(2) for j in range(3)]
    assert [m.shape for m in masks] == 2 * [(3, 4, 1, 40)] + 6 * [(3, 1, 32)]
    assert len({np.asarray(m).tobytes() for m in masks}) == 8
    assert stack[1].cross_weights.keep.shape == (3, 4, 1, 50)
    assert stack[1].inner.keep.shape == (3, 1, 64)


def test_norm_is_in_float32_and_does_not_subtract_the_mean() -> None:
    norm = RMSNorm(CONFIG, rngs=nnx.Rngs(0))
    x = 3.0 + jax.random.normal(jax.random.key(0), (2, 32))
    y = norm(x)
    np.testing.assert_allclose(y, x / jnp.sqrt(jnp.mean(x**2, -1, keepdims=True)), rtol=1e-5)
    assert float(y.mean()) > 0.5
    assert np.isfinite(norm(jnp.full((1, 32), 1e4, jnp.float16))).all()


@pytest.mark.parametrize(("bidirectional", "length"), [(True, 1), (True, 7), (False, 7)])
def test_the_shifted_relative_bias_is_the_bias_of_each_distance(bidirectional: bool, length: int) -> None:
    bias = RelativeBias(CONFIG, bidirectional=bidirectional, rngs=nnx.Rngs(0))
    distances = jnp.arange(length)[None, :] - jnp.arange(length)[:, None]
    direct = bias.of_distances(distances.reshape(-1)).reshape(1, CONFIG.num_heads, length, length)
    np.testing.assert_array_equal(bias(length), direct)


def test_a_token_outside_the_vocabulary_is_not_silently_another() -> None:
    embedding = Embedding(CONFIG, 32, rngs=nnx.Rngs(0))
    assert np.isnan(embedding(jnp.array([[32]]))).all()


def test_initial_scales_hold_what_attention_leaves_out() -> None:
    attention = Attention(T5Config(d_model=128, d_kv=32, num_heads=8), rngs=nnx.Rngs(0))
    expected = {"query": (128 * 32) ** -0.5, "key": 128**-0.5, "value": 128**-0.5, "output": 256**-0.5}
    for name, stddev in expected.items():
        kernel = np.asarray(getattr(attention, name).kernel[...])
        # 32,768 normal draws: the relative error of their deviation is about 0.4 %; 2 % is 5 sigma.
        np.testing.assert_allclose(kernel.std(), stddev, rtol=0.02)
