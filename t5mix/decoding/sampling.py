"""Sequences that do not compete: the greedy one of each input, or samples."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from t5mix.decoding.config import GenerationConfig
from t5mix.decoding.decoded import Decoded
from t5mix.decoding.prefix_tree import PrefixTree
from t5mix.decoding.processors import Processor, TokenHistory, process
from t5mix.decoding.session import DecoderStep


class _Progress(NamedTuple):
    """The carry of the loop: `last` and `ended` [B, R], tokens [B, R, 1 + L] from the start token on."""

    index: jax.Array
    last: jax.Array
    ended: jax.Array
    nodes: jax.Array | None
    decoded: Decoded
    session: Any


def decode_apart(
    advance: DecoderStep,
    session: Any,
    blank: jax.Array,
    config: GenerationConfig,
    processors: Sequence[Processor],
    *,
    start_id: int,
    pad_id: int,
    eos_id: int,
    keys: jax.Array | None = None,
    tree: PrefixTree | None = None,
) -> Decoded:
    """Decodes R sequences of each input, token by token, until all have ended.

    Args:
        advance: the model's step.
        session: from its start, of R sequences.
        blank: [B] bool, rows that hold nothing; they decode to padding and delay nobody.
        config: how many sequences, and how long.
        processors: what the logits go through.
        start_id: the decoder's first input.
        pad_id: the padding token.
        eos_id: the token that ends a sequence.
        keys: [B, R] the random key of each sequence; None takes the most probable token.
        tree: the answers that are allowed; None for all.
    """
    shape, length = (blank.shape[0], config.num_return_sequences), config.limit
    begin = _Progress(
        index=jnp.zeros((), jnp.int32),
        last=jnp.full(shape, start_id, jnp.int32),
        ended=jnp.broadcast_to(blank[:, None], shape),
        nodes=None if tree is None else jnp.zeros(shape, jnp.int32),
        decoded=Decoded(
            jnp.full((*shape, 1 + length), pad_id, jnp.int32).at[:, :, 0].set(start_id),
            jnp.zeros((*shape, length), jnp.float32),
            jnp.zeros(shape, jnp.float32),
        ),
        session=session,
    )

    def unfinished(now: _Progress) -> jax.Array:
        return (now.index < length) & ~jnp.all(now.ended)

    def proceed(now: _Progress) -> _Progress:
        logits, session = advance(now.session, now.last, now.index, None)
        flat = logits.reshape(-1, logits.shape[-1])
        tokens = now.decoded.tokens.reshape(-1, 1 + length)
        nodes = None if now.nodes is None else now.nodes.reshape(-1)
        scores = process(processors, flat, TokenHistory(tokens, now.index + 1, nodes)).reshape(logits.shape)
        chosen = jnp.argmax(scores if keys is None else _perturbed(scores, keys, now.index), axis=-1).astype(jnp.int32)
        log_prob = jnp.take_along_axis(logits, chosen[..., None], axis=-1)[..., 0] - jax.nn.logsumexp(logits, axis=-1)
        token, log_prob = jnp.where(now.ended, pad_id, chosen), jnp.where(now.ended, 0.0, log_prob)
        write = jax.lax.dynamic_update_slice_in_dim
        decoded = Decoded(
            write(now.decoded.tokens, token[..., None], now.index + 1, axis=2),
            write(now.decoded.log_probs, log_prob[..., None], now.index, axis=2),
            now.decoded.scores + log_prob,
        )
        below = None if tree is None or now.nodes is None else tree.descend(now.nodes, token)
        return _Progress(now.index + 1, token, now.ended | (token == eos_id), below, decoded, session)

    decoded = jax.lax.while_loop(unfinished, proceed, begin).decoded
    return decoded._replace(tokens=decoded.tokens[:, :, 1:])


def _perturbed(scores: jax.Array, keys: jax.Array, index: jax.Array) -> jax.Array:
    """The scores [B, R, V] plus Gumbel noise: the largest of them is a draw from their softmax."""
    return scores + gumbel(keys, index, scores.shape[-1])


def gumbel(keys: jax.Array, index: jax.Array, count: int) -> jax.Array:
    """Standard Gumbel noise [..., count] of keys [...] at a position. It depends on nothing else."""
    flat = keys.reshape(-1)
    noise = jax.vmap(lambda key: jax.random.gumbel(jax.random.fold_in(key, index), (count,), jnp.float32))(flat)
    return noise.reshape(*keys.shape, count)
