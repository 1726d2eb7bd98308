"""Processors against plain references written from Hugging Face's rules."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t5mix.decoding import GenerationConfig, PrefixTree
from t5mix.decoding.processors import (
    TokenHistory,
    bar_early_end,
    bar_repeated_ngrams,
    force_prefix,
    keep_in_tree,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    penalize_repetition,
    process,
    processors_of,
)

VOCABULARY = 11
LENGTH = 7  # the start token and six more
BARRED = -math.inf


def draw_scores(seed: int, rows: int = 5, ties: bool = False) -> np.ndarray:
    scores = np.random.default_rng(seed).normal(0, 2, (rows, VOCABULARY)).astype(np.float32)
    return np.round(scores) if ties else scores


def history(tokens: np.ndarray, length: int) -> TokenHistory:
    garbage = np.where(np.arange(LENGTH) < length, tokens, 3)  # what comes later must not count
    return TokenHistory(jnp.asarray(garbage, jnp.int32), jnp.int32(length))


def draw_tokens(seed: int, kinds: int, rows: int = 5) -> np.ndarray:
    tokens = np.random.default_rng(seed).integers(4, 4 + kinds, (rows, LENGTH))
    tokens[:, 0] = 0
    return tokens


def softmax(row: np.ndarray) -> np.ndarray:
    weights = np.exp(row.astype(np.float64) - row.max())
    return weights / weights.sum()


@pytest.mark.parametrize("length", range(1, LENGTH + 1))
@pytest.mark.parametrize("penalty", [1.5, 0.7])
def test_repetition_penalty(length: int, penalty: float):
    scores, tokens = draw_scores(length), draw_tokens(length, 4)
    scores[0] = 0.0
    expected = scores.copy()
    for row, seen in enumerate(tokens[:, :length]):
        for token in set(seen.tolist()):
            score = scores[row, token]
            expected[row, token] = score * penalty if score < 0 else score / penalty
    result = penalize_repetition(jnp.asarray(scores), history(tokens, length), penalty=penalty)
    np.testing.assert_allclose(result, expected, rtol=1e-6)
    assert (expected[:, 0] != scores[:, 0])[1:].all(), "the start token counts as seen"


@pytest.mark.parametrize("size", [1, 2, 3, 4, LENGTH, LENGTH + 1, LENGTH + 3])
@pytest.mark.parametrize("length", range(1, LENGTH + 1))
def test_no_repeated_ngrams(size: int, length: int):
    scores, tokens = draw_scores(length), draw_tokens(length, 2)
    tokens[1] = 4  # nothing else
    tokens[2, : min(3, LENGTH)] = [0, 0, 0]  # the start token again
    expected = scores.copy()
    for row, sequence in enumerate(tokens[:, :length].tolist()):
        for begin in range(length - size + 1):
            ngram = sequence[begin : begin + size]
            if size - 1 <= length and ngram[:-1] == sequence[length - size + 1 : length]:
                expected[row, ngram[-1]] = BARRED
    result = bar_repeated_ngrams(jnp.asarray(scores), history(tokens, length), size=size)
    np.testing.assert_array_equal(result, expected)


def test_the_last_token_of_an_ngram_may_be_that_of_the_first_one():
    tokens = np.array([[0, 4, 4, 9, 9, 9, 9]])
    result = bar_repeated_ngrams(jnp.zeros((1, VOCABULARY)), history(tokens, 3), size=2)
    assert np.flatnonzero(np.isneginf(result[0])).tolist() == [4]


@pytest.mark.parametrize("new", range(4))
def test_the_end_is_barred_until_there_are_enough_tokens(new: int):
    scores = draw_scores(0)
    result = np.asarray(
        bar_early_end(jnp.asarray(scores), history(draw_tokens(0, 3), 1 + new), eos_id=1, min_new_tokens=2)
    )
    assert np.isneginf(result[:, 1]).all() == (new < 2)
    np.testing.assert_array_equal(np.delete(result, 1, axis=1), np.delete(scores, 1, axis=1))


def test_a_forced_prefix_leaves_one_token_at_a_score_of_zero():
    scores, tokens = draw_scores(0), draw_tokens(0, 3)
    for new, forced in enumerate((6, 9)):
        result = np.asarray(force_prefix(jnp.asarray(scores), history(tokens, 1 + new), prefix=(6, 9)))
        assert (result[:, forced] == 0).all()
        assert np.isneginf(np.delete(result, forced, axis=1)).all()
    np.testing.assert_array_equal(force_prefix(jnp.asarray(scores), history(tokens, 3), prefix=(6, 9)), scores)


@pytest.mark.parametrize("k", [1, 2, 5, VOCABULARY, VOCABULARY + 5])
@pytest.mark.parametrize("ties", [False, True])
def test_top_k_keeps_ties(k: int, ties: bool):
    scores = draw_scores(k, rows=40, ties=ties)
    result = np.asarray(keep_top_k(jnp.asarray(scores), k=k))
    for row, kept in zip(scores, result, strict=True):
        lowest = sorted(row)[-min(k, VOCABULARY)]
        np.testing.assert_array_equal(kept, np.where(row < lowest, BARRED, row))
    if ties and k < VOCABULARY:
        assert (np.isfinite(result).sum(axis=1) > k).any(), "no row has ties"


def top_p_by_sorting(row: np.ndarray, p: float, min_tokens: int) -> np.ndarray:
    order = np.argsort(row, kind="stable")
    barred = np.cumsum(softmax(row)[order]) <= 1 - p
    barred[-min_tokens:] = False
    kept = row.copy()
    kept[order[barred]] = BARRED
    return kept


@pytest.mark.parametrize("p", [1e-9, 0.1, 0.35, 0.6, 0.9, 0.999])
@pytest.mark.parametrize("min_tokens", [1, 2])
@pytest.mark.parametrize("ties", [False, True])
def test_top_p(p: float, min_tokens: int, ties: bool):
    scores = draw_scores(3, rows=60, ties=ties)
    scores[::3, ::2] = BARRED  # as top_k leaves them
    result = np.asarray(keep_top_p(jnp.asarray(scores), p=p, min_tokens=min_tokens))
    for row, kept in zip(scores, result, strict=True):
        np.testing.assert_array_equal(kept, top_p_by_sorting(row, p, min_tokens))


def test_top_p_keeps_the_token_that_crosses():
    probabilities = np.array([[0.5, 0.25, 0.125, 0.125]], np.float32)
    scores = jnp.log(jnp.asarray(probabilities))

    def stay(p: float) -> list[int]:
        return np.flatnonzero(np.isfinite(keep_top_p(scores, p=p)[0])).tolist()

    assert stay(0.3) == [0]
    assert stay(0.51) == [0, 1]
    assert stay(0.74) == [0, 1]
    assert stay(0.76) == [0, 1, 3]  # of two equal ones, the one with the lower id goes
    assert stay(0.9) == [0, 1, 2, 3]


@pytest.mark.parametrize("p", [0.01, 0.2, 0.7, 1.0])
@pytest.mark.parametrize("min_tokens", [1, 2])
def test_min_p(p: float, min_tokens: int):
    scores = draw_scores(4, rows=40, ties=True)
    result = np.asarray(keep_min_p(jnp.asarray(scores), p=p, min_tokens=min_tokens))
    for row, kept in zip(scores, result, strict=True):
        probabilities = softmax(row)
        stays = probabilities >= p * probabilities.max() * (1 - 1e-6)
        stays[np.argsort(-row, kind="stable")[:min_tokens]] = True
        np.testing.assert_array_equal(kept, np.where(stays, row, BARRED))


def test_the_tree_leaves_what_continues_an_answer():
    answers = [[5, 6], [5], [5, 7, 8], [9, 6, 6]]
    tree = PrefixTree.of(answers, eos_id=1)
    ended = [[*answer, 1] for answer in answers]
    assert (tree.answers, tree.shortest, tree.longest) == (4, 2, 4)
    prefixes = sorted({tuple(answer[:length]) for answer in ended for length in range(len(answer))})
    nodes = jnp.zeros(len(prefixes), jnp.int32)
    for position in range(max(map(len, prefixes))):
        steps = jnp.asarray([prefix[position] if position < len(prefix) else 1 for prefix in prefixes])
        here = jnp.asarray([position < len(prefix) for prefix in prefixes])
        nodes = jnp.where(here, tree.descend(nodes, steps), nodes)
    scores = jnp.asarray(draw_scores(0, rows=len(prefixes)))
    tokens = jnp.zeros((len(prefixes), LENGTH), jnp.int32)
    result = keep_in_tree(scores, TokenHistory(tokens, jnp.int32(1), nodes), tree=tree)
    for row, prefix in enumerate(prefixes):
        following = {answer[len(prefix)] for answer in ended if tuple(answer[: len(prefix)]) == prefix}
        assert {*np.flatnonzero(np.isfinite(result[row])).tolist()} == following, prefix


def test_the_tree_is_the_same_whatever_the_order_of_the_answers():
    trees = [PrefixTree.of(answers, eos_id=1) for answers in ([[5, 6], [5], [7]], [[7], [5], [5, 6], [5]])]
    first, second = (jax.tree.leaves(tree) for tree in trees)
    assert all((a == b).all() for a, b in zip(first, second, strict=True))


def test_only_what_is_needed_is_compiled_in():
    assert processors_of(GenerationConfig(), 1) == []
    assert processors_of(GenerationConfig(do_sample=True), 1) == []
    assert len(processors_of(GenerationConfig(do_sample=True, top_k=3, temperature=0.5), 1)) == 2


def test_the_order_is_hugging_faces():
    """Each of these changes what the next one sees, so that another order gives other scores."""
    config = GenerationConfig(
        do_sample=True,
        repetition_penalty=3.0,
        no_repeat_ngram_size=1,
        min_new_tokens=6,
        temperature=0.5,
        top_k=4,
        top_p=0.8,
        min_p=0.3,
    )
    scores, tokens = draw_scores(11, rows=30), draw_tokens(11, 3, rows=30)
    past = history(tokens, 4)
    expected = penalize_repetition(jnp.asarray(scores), past, penalty=3.0)
    expected = bar_repeated_ngrams(expected, past, size=1)
    expected = bar_early_end(expected, past, eos_id=1, min_new_tokens=6) / 0.5
    expected = keep_min_p(keep_top_p(keep_top_k(expected, k=4), p=0.8), p=0.3)
    result = process(processors_of(config, 1), jnp.asarray(scores), past)
    np.testing.assert_array_equal(result, expected)
    other = keep_top_p(keep_min_p(keep_top_k(jnp.asarray(scores), k=4), p=0.3), p=0.8)
    assert not np.array_equal(other, keep_min_p(keep_top_p(keep_top_k(jnp.asarray(scores), k=4), p=0.8), p=0.3))
