"""The layers of T5: dense map, norm, embedding, relative bias, attention, feed-forward, dropout.

Every layer computes in `T5Config.dtype` and keeps float32 parameters, cast where they are used.
"""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from t5mix.model import masks
from t5mix.model.config import T5Config


@dataclasses.dataclass(frozen=True)
class Dropout:
    """Dropout with a mask that was drawn beforehand; by default none, and nothing is dropped.

    As in T5, the mask is shared along the length (axis -2), which makes it small. Masks for many sites
    come from one draw and are told apart by indexing: a generator for each site would take longer to
    compile than the rest of the model.

    Attributes:
        keep: bool, True for what stays: any axes still to be indexed, then [B, ..., 1, features].
        rate: the probability that an element is dropped.
    """

    keep: jax.Array | None = None
    rate: float = 0.0

    @classmethod
    def draw(cls, key: jax.Array | None, rate: float, rows: int, features: tuple[int, ...], *sites: int) -> "Dropout":
        """Draws masks [*sites, rows, *features]; none without a key or a rate."""
        if key is None or rate == 0.0:
            return cls()
        # In two dimensions, which XLA compiles several times faster than five; the rows lead, so that
        # a batch that is sharded by rows has its masks drawn where they are used.
        keep = jax.random.bernoulli(key, 1.0 - rate, (rows, math.prod(sites + features)))
        return cls(jnp.moveaxis(keep.reshape(rows, *sites, *features), 0, len(sites)), rate)

    def __getitem__(self, index: Any) -> "Dropout":
        return self if self.keep is None else Dropout(self.keep[index], self.rate)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Drops elements of x [B, ..., length, features] and scales the others by 1 / (1 - rate)."""
        if self.keep is None:
            return x
        # The product is in float32: 1 / (1 - rate) rounded to bfloat16 would bias every activation.
        scale = jnp.where(self.keep, jnp.float32(1.0 / (1.0 - self.rate)), 0.0)
        return (x * scale).astype(x.dtype)


NO_DROPOUT = Dropout()


def _normal(rngs: nnx.Rngs, shape: tuple[int, ...], stddev: float) -> nnx.Param:
    return nnx.Param(stddev * jax.random.normal(rngs.params(), shape, jnp.float32))


class Dense(nnx.Module):
    """A linear map without bias: [..., in] -> [..., out]. Its kernel is 2-D, as Adafactor's factors are.

    Args:
        inputs: the size of the input features.
        outputs: the size of the output features.
        stddev: the standard deviation of the initial kernel.
        dtype: the type the product is computed in.
        output_dtype: the type it is accumulated and returned in, `dtype` unless given.
        rngs: the source of the initial kernel.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        stddev: float,
        *,
        dtype: str,
        output_dtype: str | None = None,
        rngs: nnx.Rngs,
    ):
        self.kernel = _normal(rngs, (inputs, outputs), stddev)
        self.dtype = dtype
        self.output_dtype = output_dtype or dtype

    def __call__(self, x: jax.Array, task_ids: jax.Array | None = None) -> jax.Array:
        """Returns x @ kernel, [..., out].

        Args:
            x: [..., in].
            task_ids: [...] int, the task of each position, or None; for maps that are routed by task.
        """
        del task_ids
        kernel = self.kernel[...].astype(self.dtype)
        return jnp.matmul(x.astype(self.dtype), kernel, preferred_element_type=self.output_dtype)


class RMSNorm(nnx.Module):
    """T5's layer norm: no mean subtraction and no bias, computed in float32."""

    def __init__(self, config: T5Config, *, rngs: nnx.Rngs):
        del rngs  # a norm starts at one
        self.scale = nnx.Param(jnp.ones((config.d_model,), jnp.float32))
        self.epsilon = config.layer_norm_epsilon
        self.dtype = config.dtype

    def __call__(self, x: jax.Array) -> jax.Array:
        """[..., D] -> [..., D] with unit mean square, times the scale."""
        return self.scaled(x, self.scale[...])

    def scaled(self, x: jax.Array, scale: jax.Array) -> jax.Array:
        """[..., D] -> [..., D] with unit mean square, times a float32 scale that need not be the norm's own."""
        x = x.astype(jnp.float32)
        mean_square = jnp.mean(jnp.square(x), axis=-1, keepdims=True)
        return (x * jax.lax.rsqrt(mean_square + self.epsilon) * scale).astype(self.dtype)


class Embedding(nnx.Module):
    """The token embedding, shared by both stacks.

    Attributes:
        input_gradient: whether the table learns through its input end too; fine-tuning may cut that off.
    """

    def __init__(self, config: T5Config, vocab_size: int, *, rngs: nnx.Rngs):
        self.embedding = _normal(rngs, (vocab_size, config.d_model), 1.0)
        self.dtype = config.dtype
        self.input_gradient = True

    def __call__(self, tokens: jax.Array) -> jax.Array:
        """[B, L] int -> [B, L, D]. A token outside the vocabulary gives NaN rather than a neighbour."""
        table = self.embedding[...] if self.input_gradient else jax.lax.stop_gradient(self.embedding[...])
        return jnp.take(table, tokens, axis=0, mode="fill").astype(self.dtype)

    def output_table(self) -> jax.Array:
        """The tied output matrix, [V, D]."""
        return self.embedding[...]

    def attend(self, x: jax.Array) -> jax.Array:
        """The map to the vocabulary: x [..., D] -> float32 [..., V]."""
        table = self.output_table().astype(self.dtype)
        return jnp.einsum("...d,vd->...v", x.astype(self.dtype), table, preferred_element_type=jnp.float32)


class NoPrompt(nnx.Module):
    """The place of a learned prompt before each example's inputs. Fine-tuning may put one there.

    Attributes:
        length: P, the positions that it takes of each example's inputs.
    """

    length = 0

    def __call__(self, embedded: jax.Array, positions: jax.Array, task_ids: jax.Array | None) -> jax.Array:
        """Returns the embedded inputs [B, S, D] with the prompt in the first P positions of each example.

        Args:
            embedded: [B, S, D].
            positions: [B, S] int, counted from 0 in each example.
            task_ids: [B, S] int or None.
        """
        del positions, task_ids
        return embedded


class RelativeBias(nnx.Module):
    """The relative position bias of one block, or of all blocks of a stack.

    It sees offsets in the row. Inside a segment these equal the differences of positions, and the mask
    hides everything else, so one bias serves all rows, packed or not.
    """

    def __init__(self, config: T5Config, *, bidirectional: bool, rngs: nnx.Rngs):
        self.embedding = _normal(rngs, (config.relative_buckets, config.num_heads), config.d_model**-0.5)
        self.bidirectional = bidirectional
        self.num_buckets = config.relative_buckets
        self.max_distance = config.relative_max_distance

    def of_distances(self, distances: jax.Array) -> jax.Array:
        """The bias [H, N] of N distances [N] (key minus query)."""
        buckets = masks.relative_bucket(
            distances,
            bidirectional=self.bidirectional,
            num_buckets=self.num_buckets,
            max_distance=self.max_distance,
        )
        return self.embedding[...][buckets].T

    def __call__(self, length: int) -> jax.Array:
        """The bias [1, H, length, length] of every query and key of a row."""
        # Entry (q, k) depends on k - q alone. Repeating the row of all 2 * length distances, and cutting
        # the copies one shorter than they are, moves each row one step to the right: no gather of
        # length^2 rows forward, no scatter backward.
        period = 2 * length
        offsets = jnp.arange(period)
        rows = self.of_distances(jnp.where(offsets < length, offsets, offsets - period))
        heads = rows.shape[0]
        tiled = jnp.broadcast_to(rows[:, None, :], (heads, length, period)).reshape(heads, -1)
        shifted = tiled[:, : length * (period - 1)].reshape(heads, length, period - 1)
        return shifted[None, :, :, :length]


class Attention(nnx.Module):
    """Multi-head attention without 1/sqrt(d_kv): the initial scale of the queries contains it."""

    def __init__(self, config: T5Config, *, rngs: nnx.Rngs):
        d_model, inner = config.d_model, config.num_heads * config.d_kv

        def dense(inputs: int, outputs: int, stddev: float) -> Dense:
            return Dense(inputs, outputs, stddev, dtype=config.dtype, rngs=rngs)

        self.query = dense(d_model, inner, (d_model * config.d_kv) ** -0.5)
        self.key = dense(d_model, inner, d_model**-0.5)
        self.value = dense(d_model, inner, d_model**-0.5)
        self.output = dense(inner, d_model, inner**-0.5)
        self.num_heads = config.num_heads

    def _heads(self, x: jax.Array) -> jax.Array:
        """[B, L, H * K] -> [B, H, L, K]."""
        return x.reshape(*x.shape[:2], self.num_heads, -1).swapaxes(1, 2)

    def keys_values(self, source: jax.Array, task_ids: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """The keys and the values, each [B, H, L, K], of a source [B, L, D] whose tasks are [B, L]."""
        return self._heads(self.key(source, task_ids)), self._heads(self.value(source, task_ids))

    def __call__(
        self,
        x: jax.Array,
        keys: jax.Array,
        values: jax.Array,
        bias: jax.Array,
        dropout: Dropout,
        task_ids: jax.Array | None = None,
    ) -> jax.Array:
        """Attends from x to keys and values that `keys_values` made, now or (cached) earlier.

        Args:
            x: [B, Q, D], normalised.
            keys: [B, H, L, K].
            values: [B, H, L, K].
            bias: float32, broadcastable to [B, H, Q, L]: relative positions and mask.
            dropout: for the attention weights.
            task_ids: [B, Q] or None, for maps that are routed by task.

        Returns:
            [B, Q, D].
        """
        queries = self._heads(self.query(x, task_ids))
        mixed = self.mix(queries, keys, values, bias, dropout)
        return self.output(mixed.swapaxes(1, 2).reshape(*x.shape[:2], -1), task_ids)

    def mix(
        self, queries: jax.Array, keys: jax.Array, values: jax.Array, bias: jax.Array, dropout: Dropout
    ) -> jax.Array:
        """The values [B, H, L, K] as the queries [B, H, Q, K] weigh them, [B, H, Q, K]."""
        scores = jnp.einsum("bhqk,bhlk->bhql", queries, keys, preferred_element_type=jnp.float32)
        weights = dropout(jax.nn.softmax(scores + bias, axis=-1).astype(values.dtype))
        return jnp.einsum("bhql,bhlk->bhqk", weights, values)


class FeedForward(nnx.Module):
    """The position-wise sublayer: one inner map and ReLU (1.0), or two and a GELU or SiLU gate (1.1, UL2)."""

    def __init__(self, config: T5Config, *, rngs: nnx.Rngs):
        def dense(inputs: int, outputs: int) -> Dense:
            return Dense(inputs, outputs, inputs**-0.5, dtype=config.dtype, rngs=rngs)

        self.activation = config.activation
        if self.activation != "relu":
            self.wi_0 = dense(config.d_model, config.d_ff)
            self.wi_1 = dense(config.d_model, config.d_ff)
        else:
            self.wi = dense(config.d_model, config.d_ff)
        self.wo = dense(config.d_ff, config.d_model)

    def __call__(self, x: jax.Array, dropout: Dropout, task_ids: jax.Array | None = None) -> jax.Array:
        """[B, L, D] -> [B, L, D], with dropout on the inner activations."""
        if self.activation == "relu":
            inner = jax.nn.relu(self.wi(x, task_ids))
        elif self.activation == "gated-gelu":
            inner = jax.nn.gelu(self.wi_0(x, task_ids), approximate=True) * self.wi_1(x, task_ids)
        else:
            inner = jax.nn.silu(self.wi_0(x, task_ids)) * self.wi_1(x, task_ids)
        return self.wo(dropout(inner), task_ids)
