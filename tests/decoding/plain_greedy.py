"""Greedy decoding by itself, without processors, start token or several sequences: what `decode` must equal in bits."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from t5mix.model import masks
from t5mix.model.blocks import DecoderContext, LayerCache
from t5mix.model.layers import RelativeBias
from t5mix.model.t5 import T5


class Decoded(NamedTuple):
    """What was decoded.

    Attributes:
        tokens: [B, L] int32, padding after EOS; without EOS where L was too short.
        log_probs: [B] float32, the natural logarithm of the sequence's probability, EOS included.
    """

    tokens: jax.Array
    log_probs: jax.Array


class Session(NamedTuple):
    """Inputs made ready for decoding: what `step` needs, besides the model.

    Attributes:
        caches: a cache for each decoder block.
        cross_bias: [B, 1, 1, S] float32, the mask of the inputs' padding.
        task_ids: [B, 1] int, the task of each row, or None.
    """

    caches: tuple[LayerCache, ...]
    cross_bias: jax.Array
    task_ids: jax.Array | None


def start(
    model: T5, inputs: jax.Array, max_length: int, *, task_ids: jax.Array | None = None, pad_id: int = 0
) -> Session:
    """Encodes the inputs, computes the cross-attention's keys and values, and allocates the caches.

    Args:
        model: the model.
        inputs: [B, S] int32, one example a row, padded with `pad_id`.
        max_length: L, the most tokens that will be decoded.
        task_ids: [B] the task of each row, or None.
        pad_id: the padding token.

    Returns:
        The session that `step` advances.
    """
    inputs, segments = model.with_prompt(inputs, pad_id)
    by_position = None if task_ids is None else jnp.broadcast_to(task_ids[:, None], inputs.shape)
    encoded = model.encode(inputs, segments, task_ids=by_position)
    config = model.config
    empty = jnp.zeros((inputs.shape[0], config.num_heads, max_length, config.d_kv), config.dtype)
    caches = tuple(
        LayerCache(empty, empty, *block.cross_attention.keys_values(encoded, by_position))
        for block in model.decoder.blocks
    )
    cross_bias = masks.mask_to_bias(segments > 0)[:, None, None, :]
    return Session(caches, cross_bias, None if task_ids is None else task_ids[:, None])


def step(model: T5, session: Session, tokens: jax.Array, index: jax.Array) -> tuple[jax.Array, Session]:
    """The logits after one more token of every row.

    Args:
        model: the model.
        session: from `start`, or from the step before.
        tokens: [B] int32, the decoder's input at `index` (the padding token at 0).
        index: the scalar position, counted from 0.

    Returns:
        float32 logits [B, V] of the token at `index`, and the session to go on with.
    """
    distances = jnp.arange(session.caches[0].keys.shape[2]) - index

    def bias_of(relative: RelativeBias) -> jax.Array:
        return jnp.where(distances <= 0, relative.of_distances(distances)[None, :, None, :], masks.MASKED)

    context = DecoderContext(
        bias=model.decoder.biases(bias_of),
        cross_bias=session.cross_bias,
        index=index,
        task_ids=session.task_ids,
    )
    hidden = model.token_embedding(tokens[:, None])
    hidden, caches = model.decoder.step(hidden, context, session.caches)
    return model.logits(hidden[:, 0]), session._replace(caches=caches)


class _Progress(NamedTuple):
    """The carry of the decoding loop; `last` [B] is the token decoded last, `ended` [B] marks EOS."""

    index: jax.Array
    last: jax.Array
    ended: jax.Array
    decoded: Decoded
    session: Session


def greedy_decode(
    model: T5,
    encoder_inputs: jax.Array,
    max_length: int,
    *,
    eos_id: int = 1,
    pad_id: int = 0,
    task_ids: jax.Array | None = None,
) -> Decoded:
    """Decodes the most probable token at each position, until every row has ended.

    A row of nothing but padding fills up a batch: it decodes to padding and delays nobody.

    Args:
        model: the model.
        encoder_inputs: [B, S] int32, one example a row (not packed), padded with `pad_id`.
        max_length: L, the most tokens to decode, EOS included. Static under jit.
        eos_id: the token that ends a sequence.
        pad_id: the padding token, which is also the decoder's first input.
        task_ids: [B] the task of each row, or None; for modules routed by task.

    Returns:
        The tokens [B, L] and the sequences' log-probabilities [B].
    """
    rows = encoder_inputs.shape[0]
    begin = _Progress(
        index=jnp.zeros((), jnp.int32),
        last=jnp.full((rows,), pad_id, jnp.int32),
        ended=jnp.all(encoder_inputs == pad_id, axis=1),
        decoded=Decoded(jnp.full((rows, max_length), pad_id, jnp.int32), jnp.zeros((rows,), jnp.float32)),
        session=start(model, encoder_inputs, max_length, task_ids=task_ids, pad_id=pad_id),
    )

    def unfinished(now: _Progress) -> jax.Array:
        return (now.index < max_length) & ~jnp.all(now.ended)

    def advance(now: _Progress) -> _Progress:
        logits, session = step(model, now.session, now.last, now.index)
        best = jnp.argmax(logits, axis=-1).astype(jnp.int32)
        gained = jnp.max(logits, axis=-1) - jax.nn.logsumexp(logits, axis=-1)
        token = jnp.where(now.ended, pad_id, best)
        tokens = jax.lax.dynamic_update_slice_in_dim(now.decoded.tokens, token[:, None], now.index, axis=1)
        log_probs = now.decoded.log_probs + jnp.where(now.ended, 0.0, gained)
        ended = now.ended | (token == eos_id)
        return _Progress(now.index + 1, token, ended, Decoded(tokens, log_probs), session)

    return jax.lax.while_loop(unfinished, advance, begin).decoded
