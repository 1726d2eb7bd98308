"""A decoder that is advanced one token at a time, with cached keys and values, for several sequences of each input."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from t5mix.model import masks
from t5mix.model.blocks import DecoderContext, LayerCache
from t5mix.model.layers import RelativeBias
from t5mix.model.t5 import T5


class Session(NamedTuple):
    """Inputs made ready for decoding K sequences of each: what `step` needs, besides the model.

    The sequences of an input are queries side by side in one row of the decoder. They share the cross-attention's keys
    and values, and one cache of the self-attention, in which each sees what belongs to it. A beam that goes on where
    another one was therefore takes over who its ancestors are, and no keys or values move.

    Attributes:
        caches: a cache for each decoder block; position i of sequence k is at i * K + k of the L * K places.
        cross_bias: [B, 1, 1, S] float32, the mask of the inputs' padding.
        task_ids: [B, K] int, the task of each sequence, or None.
    """

    caches: tuple[LayerCache, ...]
    cross_bias: jax.Array
    task_ids: jax.Array | None


DecoderStep = Callable[[Any, jax.Array, jax.Array, jax.Array | None], tuple[jax.Array, Any]]
"""`step` of one model: from a session, tokens [B, K], their index and ancestors to logits [B, K, V] and a session."""


def start(
    model: T5,
    inputs: jax.Array,
    max_length: int,
    *,
    sequences: int = 1,
    task_ids: jax.Array | None = None,
    pad_id: int = 0,
) -> Session:
    """Encodes the inputs, computes the cross-attention's keys and values, and allocates the caches.

    Args:
        model: the model.
        inputs: [B, S] int32, one example a row, padded with `pad_id`.
        max_length: L, the most tokens that will be decoded.
        sequences: K, how many sequences of each input will be decoded.
        task_ids: [B] the task of each row, or None.
        pad_id: the padding token.

    Returns:
        The session that `step` advances.
    """
    inputs, segments = model.with_prompt(inputs, pad_id)
    by_position = None if task_ids is None else jnp.broadcast_to(task_ids[:, None], inputs.shape)
    encoded = model.encode(inputs, segments, task_ids=by_position)
    config, rows = model.config, inputs.shape[0]
    empty = jnp.zeros((rows, config.num_heads, max_length * sequences, config.d_kv), config.dtype)
    caches = tuple(
        LayerCache(empty, empty, *block.cross_attention.keys_values(encoded, by_position))
        for block in model.decoder.blocks
    )
    cross_bias = masks.mask_to_bias(segments > 0)[:, None, None, :]
    by_sequence = None if task_ids is None else jnp.broadcast_to(task_ids[:, None], (rows, sequences))
    return Session(caches, cross_bias, by_sequence)


def step(
    model: T5, session: Session, tokens: jax.Array, index: jax.Array, ancestors: jax.Array | None = None
) -> tuple[jax.Array, Session]:
    """The logits after one more token of every sequence.

    Args:
        model: the model.
        session: from `start`, or from the step before.
        tokens: [B, K] int32, the decoder's input at `index` (the start token at 0).
        index: the scalar position, counted from 0.
        ancestors: [B, K, L] int, which of the K sequences each sequence was at each position, itself at `index`; None
            where each has always been itself.

    Returns:
        float32 logits [B, K, V] of the tokens at `index`, and the session to go on with.
    """
    rows, count = tokens.shape
    distances = jnp.arange(session.caches[0].keys.shape[2] // count) - index

    def bias_of(relative: RelativeBias) -> jax.Array:
        bias = jnp.where(distances <= 0, relative.of_distances(distances)[None, :, None, :], masks.MASKED)
        return _own(bias, count, ancestors)

    context = DecoderContext(
        bias=model.decoder.biases(bias_of),
        cross_bias=session.cross_bias,
        index=index * count,
        task_ids=session.task_ids,
    )
    hidden, caches = model.decoder.step(model.token_embedding(tokens), context, session.caches)
    logits = model.logits(hidden.reshape(rows * count, -1))
    return logits.reshape(rows, count, -1), session._replace(caches=caches)


def _own(bias: jax.Array, count: int, ancestors: jax.Array | None) -> jax.Array:
    """The bias [1, H, 1, L] of the positions as the bias [B or 1, H, K, L * K] of the places that are a sequence's."""
    if count == 1:
        return bias
    slots = jnp.arange(count)
    own = slots[None, :, None] if ancestors is None else ancestors
    places = jnp.where((own[..., None] == slots)[:, None], bias[..., None], masks.MASKED)
    return places.reshape(*places.shape[:3], -1)
