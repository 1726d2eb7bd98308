"""Samples against the distributions that they are drawn from."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from t5mix.decoding import GenerationConfig, PrefixTree
from t5mix.decoding.decode import random_keys
from tests.decoding.hashed_model import EOS, PAD, VOCABULARY, HashedModel

DRAWS = 4000
LIKELY = 1e-4
"""A test whose p-value is below this has found a difference."""


def warped(probabilities: np.ndarray, *, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> np.ndarray:
    """The distribution that Hugging Face's rules make of another one; it has no ties."""
    probabilities = probabilities ** (1 / temperature)
    ascending = np.argsort(probabilities)
    if top_k:
        probabilities[ascending[:-top_k]] = 0.0
    probabilities /= probabilities.sum()
    barred = np.cumsum(probabilities[ascending]) <= 1 - top_p
    barred[-1] = False
    probabilities[ascending[barred]] = 0.0
    return probabilities / probabilities.sum()


def p_value(counts: np.ndarray, probabilities: np.ndarray) -> float:
    assert not counts[probabilities == 0].any(), "what is barred has been drawn"
    expected = counts.sum() * probabilities
    common = expected >= 5
    observed = [*counts[common], counts[~common].sum()]
    expected = [*expected[common], expected[~common].sum()]
    keep = [i for i, count in enumerate(expected) if count > 0]
    return float(stats.chisquare([observed[i] for i in keep], [expected[i] for i in keep]).pvalue)


@pytest.mark.parametrize(
    "settings",
    [{}, {"temperature": 0.6}, {"temperature": 1.7, "top_k": 4}, {"top_p": 0.7}, {"top_k": 6, "top_p": 0.8}],
    ids=str,
)
def test_samples_have_the_processed_distribution(settings: dict[str, Any]):
    model = HashedModel(rows=2, ending=-1.0, seed=3)
    config = GenerationConfig(max_new_tokens=2, do_sample=True, num_return_sequences=DRAWS, **settings)
    tokens = model.decode(config, beams=False, keys=random_keys(7, jnp.arange(2), DRAWS)).tokens
    for row in range(2):
        first = np.bincount(tokens[row, :, 0], minlength=VOCABULARY)
        assert p_value(first, warped(np.exp(model.log_probs(row, ())), **settings)) > LIKELY
        usual = int(np.argmax(np.where(np.arange(VOCABULARY) == EOS, 0, first)))
        second = np.bincount(tokens[row, tokens[row, :, 0] == usual, 1], minlength=VOCABULARY)
        assert p_value(second, warped(np.exp(model.log_probs(row, (usual,))), **settings)) > LIKELY


def test_neighbouring_samples_are_independent():
    model = HashedModel(rows=1, seed=3)
    config = GenerationConfig(max_new_tokens=1, do_sample=True, num_return_sequences=DRAWS)
    tokens = model.decode(config, beams=False, keys=random_keys(0, jnp.arange(1), DRAWS)).tokens[0, :, 0]
    pairs = np.zeros((VOCABULARY, VOCABULARY))
    np.add.at(pairs, (tokens[:-1:2], tokens[1::2]), 1)
    common = pairs.sum(axis=1) > 300
    assert stats.chi2_contingency(pairs[common][:, common]).pvalue > LIKELY


def test_log_probabilities_are_the_models_whatever_they_were_drawn_from():
    model = HashedModel(rows=4, ending=1.0)
    config = GenerationConfig(
        max_new_tokens=6, do_sample=True, num_return_sequences=5, temperature=2.0, repetition_penalty=1.5, top_k=5
    )
    decoded = model.decode(config, beams=False, keys=random_keys(1, jnp.arange(4), 5))
    ended = set()
    for row in range(4):
        for sample in range(5):
            tokens = decoded.tokens[row, sample].tolist()
            length = tokens.index(EOS) + 1 if EOS in tokens else len(tokens)
            expected = [model.log_probs(row, tuple(tokens[:i]))[tokens[i]] for i in range(length)]
            np.testing.assert_allclose(decoded.log_probs[row, sample, :length], expected, atol=1e-5)
            assert decoded.scores[row, sample] == pytest.approx(sum(expected), rel=1e-5)
            assert not decoded.log_probs[row, sample, length:].any()
            assert set(tokens[length:]) <= {PAD}
            ended.add(length < 6)
    assert ended == {True, False}


def test_samples_stay_in_the_tree_and_have_its_distribution():
    model, answers = HashedModel(rows=1), [(5, 6), (5,), (7,)]
    tree = PrefixTree.of(answers, eos_id=EOS)
    config = GenerationConfig(max_new_tokens=3, do_sample=True, num_return_sequences=DRAWS)
    tokens = model.decode(config, beams=False, keys=random_keys(0, jnp.arange(1), DRAWS), tree=tree).tokens[0]
    expected, counts = [], []
    for answer in ((*answer, EOS) for answer in answers):
        probability = 1.0
        for i, token in enumerate(answer):
            allowed = {(*a, EOS)[i] for a in answers if len(a) >= i and a[:i] == answer[:i]}
            following = np.exp(model.log_probs(0, answer[:i]))
            probability *= following[token] / sum(following[other] for other in allowed)
        expected.append(probability)
        counts.append(int((tokens == [*answer, *[PAD] * (3 - len(answer))]).all(axis=1).sum()))
    assert sum(counts) == DRAWS
    assert sum(expected) == pytest.approx(1.0)
    assert p_value(np.array(counts), np.array(expected)) > LIKELY


def test_beams_are_drawn_without_replacement():
    """One beam is drawn from two, of which the more probable stays: its distribution is known."""
    model = HashedModel(rows=DRAWS, seed=5)
    model.table[:] = model.table[0]
    config = GenerationConfig(max_new_tokens=1, do_sample=True, num_beams=1)
    tokens = model.decode(config, beams=True, keys=random_keys(2, jnp.arange(DRAWS), 1)[:, 0]).tokens[:, 0, 0]
    p = np.exp(model.log_probs(0, ()))
    expected = np.zeros(VOCABULARY)
    for first in range(VOCABULARY):
        for second in set(range(VOCABULARY)) - {first}:
            expected[max(first, second, key=lambda token: p[token])] += p[first] * p[second] / (1 - p[first])
    assert expected.sum() == pytest.approx(1.0)
    assert p_value(np.bincount(tokens, minlength=VOCABULARY), expected) > LIKELY


@pytest.mark.parametrize("beams", [1, 3])
def test_a_blank_row_decodes_to_padding_and_the_others_do_not_notice(beams: int):
    model, blank = HashedModel(rows=6), np.arange(6) % 2 == 1
    config = GenerationConfig(max_new_tokens=5, do_sample=True, num_return_sequences=3, num_beams=beams, top_k=6)
    keys = random_keys(0, jnp.arange(6), 3)
    keys = keys[:, 0] if beams > 1 else keys
    full, some = (model.decode(config, beams=beams > 1, keys=keys, blank=rows) for rows in (None, blank))
    for whole, part in zip(full, some, strict=True):
        np.testing.assert_array_equal(part[~blank], whole[~blank])
        assert not part[blank].any()


def test_keys_depend_on_seed_number_and_sample_alone():
    data = jax.random.key_data(random_keys(5, jnp.array([3, 8, 3]), 4)).reshape(12, -1).tolist()
    assert data[:4] == data[8:]
    assert len({tuple(key) for key in data[:8]}) == 8
    more = jax.random.key_data(random_keys(5, jnp.array([8]), 6)).reshape(6, -1).tolist()
    assert more[:4] == data[4:8]
    assert jax.random.key_data(random_keys(6, jnp.array([8]), 4)).reshape(4, -1).tolist() != data[4:8]
