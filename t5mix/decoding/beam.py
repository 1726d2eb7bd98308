"""Beam search: the K most promising sequences of each input go on together."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp

from t5mix.decoding.beam_rules import BeamRules
from t5mix.decoding.config import GenerationConfig
from t5mix.decoding.decoded import Decoded
from t5mix.decoding.prefix_tree import PrefixTree
from t5mix.decoding.processors import Processor, TokenHistory, process
from t5mix.decoding.sampling import gumbel
from t5mix.decoding.session import DecoderStep

Tree = TypeVar("Tree")


class _Beams(NamedTuple):
    """N beams of each input: tokens [B, N, 1 + L], log-probabilities [B, N, L], and what they are ranked by [B, N]."""

    tokens: jax.Array
    log_probs: jax.Array
    scores: jax.Array


class _Search(NamedTuple):
    """The carry of the loop.

    `live` go on, the best first; `ancestors` [B, K, L] says in whose places of the cache their positions are, and
    `nodes` [B, K] where in the prefix tree they are. `finished` have ended where `is_finished` [B, K]. An input that
    is `done` [B] finds nothing more.
    """

    index: jax.Array
    done: jax.Array
    live: _Beams
    ancestors: jax.Array
    nodes: jax.Array | None
    finished: _Beams
    is_finished: jax.Array
    session: Any


class _Candidates(NamedTuple):
    """What may come next, the best first: beams [B, 2K, ...], and the live beam [B, 2K] that each continues."""

    beams: _Beams
    parents: jax.Array
    tokens: jax.Array


def beam_search(
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
    """Decodes the best R sequences that a search with K beams finds, for each input, until all searches are over.

    The rules are those of Hugging Face's `_beam_search` (5.24; 4.57 differs in samples alone), or of T5X's
    `beam_search`. Unlike there, a beam that has been ruled out never comes back for want of others: where fewer than R
    sequences exist, padding with a score of -1e9 (T5X: -1e7) stands for the rest.

    Args:
        advance: the model's step.
        session: from its start, of K sequences.
        blank: [B] bool, rows that hold nothing; they decode to padding and delay nobody.
        config: how many beams and answers, how long, and by which rules.
        processors: what the log-probabilities go through.
        start_id: the decoder's first input.
        pad_id: the padding token.
        eos_id: the token that ends a sequence.
        keys: [B] the random key of each input, to draw beams; None takes the best.
        tree: the answers that are allowed; None for all.
    """
    rules, length = BeamRules.of(config), config.limit
    count = config.num_beams
    shape = (blank.shape[0], count)
    slots = jnp.arange(count)
    empty = _Beams(
        jnp.full((*shape, 1 + length), pad_id, jnp.int32).at[:, :, 0].set(start_id),
        jnp.zeros((*shape, length), jnp.float32),
        jnp.full(shape, rules.nothing, jnp.float32),
    )
    begin = _Search(
        index=jnp.zeros((), jnp.int32),
        done=blank,
        live=empty._replace(scores=empty.scores.at[:, 0].set(0.0)),  # or all beams would be the same
        ancestors=jnp.zeros((*shape, length), jnp.int32),
        nodes=None if tree is None else jnp.zeros(shape, jnp.int32),
        finished=empty,
        is_finished=jnp.zeros(shape, bool),
        session=session,
    )

    def unfinished(now: _Search) -> jax.Array:
        return (now.index < length) & ~jnp.all(now.done)

    def proceed(now: _Search) -> _Search:
        ancestors = jnp.where(jnp.arange(length) == now.index, slots[:, None], now.ancestors)
        last = jax.lax.dynamic_index_in_dim(now.live.tokens, now.index, axis=2, keepdims=False)
        logits, session = advance(now.session, last, now.index, ancestors)
        candidates = _candidates(now, logits, processors, keys)
        ends = candidates.tokens == eos_id
        if rules.finish_at_limit:
            ends |= now.index == length - 1
        scores = candidates.beams.scores

        live_scores, best = jax.lax.top_k(scores + ends * rules.nothing, count)
        live = _pick(candidates.beams, best)._replace(scores=live_scores)
        parents, tokens = _pick((candidates.parents, candidates.tokens), best)
        nodes = None if tree is None or now.nodes is None else tree.descend(_pick(now.nodes, parents), tokens)

        finishes = ends & rules.is_alive(scores) & ~now.done[:, None]
        if rules.finish_from_top:
            finishes &= jnp.arange(2 * count) < count
        scores = jnp.where(finishes, rules.normalized(scores, now.index + 1), rules.nothing)
        pool = _joined(now.finished, candidates.beams._replace(scores=scores))
        best = jax.lax.top_k(pool.scores, count)[1]
        found = now._replace(
            index=now.index + 1,
            live=live,
            ancestors=_pick(ancestors, parents),
            nodes=nodes,
            finished=_pick(pool, best),
            is_finished=_pick(jnp.concatenate([now.is_finished, finishes], axis=1), best),
            session=session,
        )
        done = rules.is_done(live.scores, found.finished.scores, found.is_finished, found.index)
        return found._replace(done=now.done | done)

    end = jax.lax.while_loop(unfinished, proceed, begin)
    answers = end.finished
    if not rules.finish_at_limit:
        none = ~jnp.any(end.is_finished, axis=1)
        answers = _Beams(*(_where(none, live, ended) for live, ended in zip(end.live, answers, strict=True)))
    answers = _Beams(*(leaf[:, : config.num_return_sequences] for leaf in answers))
    return Decoded(
        tokens=_where(blank, pad_id, answers.tokens[:, :, 1:]),
        log_probs=_where(blank, 0.0, answers.log_probs),
        scores=_where(blank, 0.0, answers.scores),
    )


def _candidates(
    now: _Search, logits: jax.Array, processors: Sequence[Processor], keys: jax.Array | None
) -> _Candidates:
    """The 2K best continuations of the live beams, given the logits [B, K, V]; with keys, a draw of 2K of them."""
    rows, count, vocabulary = logits.shape
    log_probs = jax.nn.log_softmax(logits)
    tokens = now.live.tokens.reshape(rows * count, -1)
    history = TokenHistory(tokens, now.index + 1, None if now.nodes is None else now.nodes.reshape(-1))
    scores = process(processors, log_probs.reshape(rows * count, -1), history).reshape(logits.shape)
    scores = (scores + now.live.scores[..., None]).reshape(rows, -1)
    if keys is None:
        scores, places = jax.lax.top_k(scores, 2 * count)
    else:  # Gumbel's largest are draws without replacement from the softmax
        places = jax.lax.top_k(scores + gumbel(keys, now.index, scores.shape[1]), 2 * count)[1]
        scores, order = jax.lax.top_k(_pick(scores, places), 2 * count)
        places = _pick(places, order)
    parents, token = places // vocabulary, (places % vocabulary).astype(jnp.int32)
    gained = _pick(log_probs.reshape(rows, -1), places)
    write = jax.lax.dynamic_update_slice_in_dim
    beams = _Beams(
        tokens=write(_pick(now.live.tokens, parents), token[..., None], now.index + 1, axis=2),
        log_probs=write(_pick(now.live.log_probs, parents), gained[..., None], now.index, axis=2),
        scores=scores,
    )
    return _Candidates(beams, parents, token)


def _pick(leaves: Tree, which: jax.Array) -> Tree:
    """The entries [B, M] of the second axis of each array [B, N, ...]."""

    def pick(leaf: jax.Array) -> jax.Array:
        return jnp.take_along_axis(leaf, which.reshape(*which.shape, *[1] * (leaf.ndim - 2)), axis=1)

    return jax.tree.map(pick, leaves)


def _joined(first: _Beams, second: _Beams) -> _Beams:
    """Both, one after the other."""
    return _Beams(*(jnp.concatenate(pair, axis=1) for pair in zip(first, second, strict=True)))


def _where(rows: jax.Array, yes: jax.Array | float, no: jax.Array) -> jax.Array:
    """`yes` in the rows [B] of `no` [B, ...] where they are True."""
    return jnp.where(rows.reshape(-1, *[1] * (no.ndim - 1)), yes, no)
