"""What changes the scores of the next token: Hugging Face's logits processors and warpers, one function each.

Each is a pure function of scores [N, V], float32: logits, or with beams log-probabilities. Tokens that must not come
get -inf.
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from t5mix.decoding.config import GenerationConfig
from t5mix.decoding.prefix_tree import PrefixTree


class TokenHistory(NamedTuple):
    """What has been decoded, of N sequences.

    Attributes:
        tokens: [N, 1 + L] int32, the start token and those decoded; anything from `length` on.
        length: scalar int32, how many there are, the start token included.
        nodes: [N] int32, where in the prefix tree the sequences are; None without a tree.
    """

    tokens: jax.Array
    length: jax.Array
    nodes: jax.Array | None = None


Processor = Callable[[jax.Array, TokenHistory], jax.Array]
"""Gives the scores [N, V] in place of others."""


def processors_of(config: GenerationConfig, eos_id: int, tree: PrefixTree | None = None) -> list[Processor]:
    """Returns the processors that a configuration needs, in the order in which Hugging Face applies them.

    Args:
        config: what is asked for.
        eos_id: the token that ends a sequence.
        tree: the answers that are allowed, or None for all.
    """
    processors: list[Processor] = []
    if config.repetition_penalty != 1.0:
        processors.append(functools.partial(penalize_repetition, penalty=config.repetition_penalty))
    if config.no_repeat_ngram_size > 0:
        processors.append(functools.partial(bar_repeated_ngrams, size=config.no_repeat_ngram_size))
    if config.min_new_tokens > 0:
        processors.append(functools.partial(bar_early_end, eos_id=eos_id, min_new_tokens=config.min_new_tokens))
    if tree is not None:
        processors.append(functools.partial(keep_in_tree, tree=tree))
    if config.forced_prefix:
        processors.append(functools.partial(force_prefix, prefix=config.forced_prefix))
    return [*processors, *_warpers(config)]


def process(processors: Sequence[Processor], scores: jax.Array, history: TokenHistory) -> jax.Array:
    """Returns the scores [N, V] after all processors."""
    for processor in processors:
        scores = processor(scores, history)
    return scores


def _warpers(config: GenerationConfig) -> list[Processor]:
    """Returns what only samples go through. With beams, two tokens stay: one may be the end, and one goes on."""
    keep = 1 if config.num_beams == 1 else 2
    warpers: list[Callable[[jax.Array], jax.Array]] = []
    if config.do_sample and config.temperature != 1.0:
        warpers.append(lambda scores: scores / config.temperature)
    if config.do_sample and config.top_k > 0:
        warpers.append(functools.partial(keep_top_k, k=max(config.top_k, keep)))
    if config.do_sample and config.top_p < 1.0:
        warpers.append(functools.partial(keep_top_p, p=config.top_p, min_tokens=keep))
    if config.do_sample and config.min_p > 0.0:
        warpers.append(functools.partial(keep_min_p, p=config.min_p, min_tokens=keep))
    return [functools.partial(_without_history, warper) for warper in warpers]


def _without_history(warper: Callable[[jax.Array], jax.Array], scores: jax.Array, history: TokenHistory) -> jax.Array:
    del history
    return warper(scores)


def penalize_repetition(scores: jax.Array, history: TokenHistory, *, penalty: float) -> jax.Array:
    """Divides the positive scores of tokens that a sequence has by the penalty, and multiplies the others by it."""
    seen = _marked(scores, history.tokens, jnp.arange(history.tokens.shape[1]) < history.length)
    return jnp.where(seen, jnp.where(scores < 0, scores * penalty, scores / penalty), scores)


def bar_repeated_ngrams(scores: jax.Array, history: TokenHistory, *, size: int) -> jax.Array:
    """Bars each token that would complete an n-gram which the sequence already has."""
    tokens, before = history.tokens, size - 1
    windows = tokens.shape[1] - before
    if windows < 1:
        return scores
    # Where the row is shorter than n - 1 tokens the slice is another one than the last, but then no window has ended.
    last = jax.lax.dynamic_slice_in_dim(tokens, history.length - before, before, axis=1)
    ends = jnp.arange(before, tokens.shape[1])  # the position of each window's last token
    same = jnp.broadcast_to(ends < history.length, (tokens.shape[0], windows))
    for offset in range(before):
        same &= tokens[:, offset : offset + windows] == last[:, offset, None]
    return jnp.where(_marked(scores, tokens[:, before:], same), -jnp.inf, scores)


def bar_early_end(scores: jax.Array, history: TokenHistory, *, eos_id: int, min_new_tokens: int) -> jax.Array:
    """Bars the end-of-sequence token until there are `min_new_tokens` others."""
    early = history.length - 1 < min_new_tokens
    return jnp.where(early & (jnp.arange(scores.shape[1]) == eos_id), -jnp.inf, scores)


def keep_in_tree(scores: jax.Array, history: TokenHistory, *, tree: PrefixTree) -> jax.Array:
    """Bars each token with which the sequence would leave the tree."""
    assert history.nodes is not None
    children, are_real = tree.children(history.nodes)
    return jnp.where(_marked(scores, children, are_real), scores, -jnp.inf)


def force_prefix(scores: jax.Array, history: TokenHistory, *, prefix: Sequence[int]) -> jax.Array:
    """Bars all but the prefix's next token, whose score becomes 0, as long as there is one."""
    new = history.length - 1
    forced = jnp.asarray(prefix, jnp.int32)[jnp.minimum(new, len(prefix) - 1)]
    only = jnp.where(jnp.arange(scores.shape[1]) == forced, 0.0, -jnp.inf).astype(scores.dtype)
    return jnp.where(new < len(prefix), only, scores)


def keep_top_k(scores: jax.Array, *, k: int) -> jax.Array:
    """Bars what is below the k-th largest score; what equals it stays."""
    lowest = jax.lax.top_k(scores, min(k, scores.shape[1]))[0][:, -1:]
    return jnp.where(scores < lowest, -jnp.inf, scores)


def keep_top_p(scores: jax.Array, *, p: float, min_tokens: int = 1) -> jax.Array:
    """Bars the least probable tokens that together have at most 1 - p; of equal ones, those with the lowest ids first.

    At least `min_tokens` stay.
    """
    probabilities, budget = jax.nn.softmax(scores, axis=1), np.float32(1 - p)
    lowest = _where_sum_exceeds(scores, probabilities, budget)

    def count(which: jax.Array) -> jax.Array:
        return which.sum(axis=1, keepdims=True)

    def spread(lowest: jax.Array) -> tuple[jax.Array, jax.Array]:
        return count(scores > lowest), count(scores == lowest)

    # Among tokens that equal the lowest one that stays, as many are barred as the budget has room for.
    left = budget - jnp.sum(jnp.where(scores < lowest, probabilities, 0.0), axis=1, keepdims=True)
    of_one = jnp.max(jnp.where(scores == lowest, probabilities, 0.0), axis=1, keepdims=True)
    above, equal = spread(lowest)
    staying = equal - jnp.clip(jnp.floor(left / jnp.maximum(of_one, 1e-38)), 0, equal).astype(jnp.int32)
    # Where fewer than `min_tokens` would stay, those do.
    fallback = jax.lax.top_k(scores, min(min_tokens, scores.shape[1]))[0]
    too_few = above + staying < fallback.shape[1]
    lowest = jnp.where(too_few, fallback[:, -1:], lowest)
    staying = jnp.where(too_few, fallback.shape[1] - spread(lowest)[0], staying)
    ties = scores == lowest
    from_the_right = jnp.cumsum(ties[:, ::-1], axis=1)[:, ::-1]
    return jnp.where((scores > lowest) | (ties & (from_the_right <= staying)), scores, -jnp.inf)


def _where_sum_exceeds(scores: jax.Array, probabilities: jax.Array, budget: np.float32) -> jax.Array:
    """The lowest score [N, 1] up to which, itself included, probabilities add up to more than the budget.

    A bisection over the bits of a score, which takes a tenth of the time of sorting a vocabulary.
    """
    bits = jax.lax.bitcast_convert_type(scores, jnp.uint32)
    sign = jnp.uint32(1 << 31)
    ordered = jnp.where(bits & sign, ~bits, bits | sign)  # unsigned numbers in the order of the scores

    def refine(step: jax.Array, bound: jax.Array) -> jax.Array:
        higher = bound | (sign >> step.astype(jnp.uint32))
        below = jnp.sum(jnp.where(ordered < higher, probabilities, 0.0), axis=1, keepdims=True)
        return jnp.where(below <= budget, higher, bound)

    bound = jax.lax.fori_loop(0, 32, refine, jnp.zeros((scores.shape[0], 1), jnp.uint32))
    return jax.lax.bitcast_convert_type(jnp.where(bound & sign, bound ^ sign, ~bound), jnp.float32)


def keep_min_p(scores: jax.Array, *, p: float, min_tokens: int = 1) -> jax.Array:
    """Bars what is less probable than p times the most probable token; the `min_tokens` most probable ones stay."""
    probabilities = jax.nn.softmax(scores, axis=1)
    best, indices = jax.lax.top_k(probabilities, min(min_tokens, scores.shape[1]))
    stays = _marked(scores, indices, jnp.ones_like(indices, bool)) | (probabilities >= p * best[:, :1])
    return jnp.where(stays, scores, -jnp.inf)


def _marked(scores: jax.Array, tokens: jax.Array, which: jax.Array) -> jax.Array:
    """[N, V] bool, True for the tokens [N, T] of a row where `which`, broadcastable to [N, T], is True."""
    rows, vocabulary = scores.shape
    places = jnp.where(which, tokens, vocabulary)  # out of bounds, which is dropped
    return jnp.zeros((rows, vocabulary), bool).at[jnp.arange(rows)[:, None], places].set(True, mode="drop")
