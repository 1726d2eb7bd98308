"""Beam search against plain implementations of the same rules."""

import functools
from typing import Any

import numpy as np
import pytest

from t5mix.decoding import Decoded, GenerationConfig, PrefixTree
from tests.decoding import plain_beams
from tests.decoding.hashed_model import EOS, PAD, START, VOCABULARY, HashedModel
from tests.decoding.plain_beams import Found

LIMIT = 6


def check(decoded: Decoded, model: HashedModel, row: int, expected: list[Found]) -> None:
    """Compares all that was found for a row; its log-probabilities are the model's whatever processors did."""
    for place, found in enumerate(expected[: decoded.tokens.shape[1]]):
        padding = [PAD] * (LIMIT - len(found.tokens))
        assert decoded.tokens[row, place].tolist() == [*found.tokens, *padding], (row, place)
        assert decoded.scores[row, place] == pytest.approx(found.score, rel=1e-5, abs=1e-5)
        log_probs = [model.log_probs(row, found.tokens[:i])[token] for i, token in enumerate(found.tokens)]
        np.testing.assert_allclose(decoded.log_probs[row, place], [*log_probs, *[0.0] * len(padding)], atol=1e-5)


@pytest.mark.parametrize("ending", [-1.0, 1.0, 3.0])
@pytest.mark.parametrize("early_stopping", [False, True, "never"])
@pytest.mark.parametrize(("beams", "penalty"), [(2, 1.0), (3, 0.0), (4, 2.0), (4, -0.7), (3, 0.6)])
def test_hugging_faces_rules(ending: float, early_stopping: Any, beams: int, penalty: float):
    model = HashedModel(ending=ending, seed=beams)
    config = GenerationConfig(
        max_new_tokens=LIMIT,
        num_beams=beams,
        num_return_sequences=beams,
        length_penalty=penalty,
        early_stopping=early_stopping,
    )
    decoded = model.decode(config, beams=True)
    for row in range(model.rows):
        scores = functools.partial(model.log_probs, row)
        expected = plain_beams.hugging_face(
            scores, beams=beams, limit=LIMIT, penalty=penalty, early_stopping=early_stopping, eos_id=EOS
        )
        assert len(expected) == beams
        check(decoded, model, row, expected)


@pytest.mark.parametrize("ending", [-5.0, 0.0, 1.0, 3.0])
@pytest.mark.parametrize(("beams", "penalty"), [(2, 0.6), (3, 0.0), (4, 1.0)])
def test_t5x_rules(ending: float, beams: int, penalty: float):
    model = HashedModel(ending=ending, seed=beams)
    config = GenerationConfig(
        max_new_tokens=LIMIT,
        num_beams=beams,
        num_return_sequences=beams,
        length_penalty=penalty,
        beam_rules="t5x",
    )
    decoded = model.decode(config, beams=True)
    counts = set()
    for row in range(model.rows):
        scores = functools.partial(model.log_probs, row)
        expected = plain_beams.t5x(scores, beams=beams, limit=LIMIT, penalty=penalty, eos_id=EOS)
        check(decoded, model, row, expected)
        assert not decoded.tokens[row, len(expected) :].any()
        assert (decoded.scores[row, len(expected) :] <= -1e7).all()
        counts.add((len(expected), EOS in expected[0].tokens))
    if ending == -5.0:
        assert (beams, False) in counts, "where nothing ended, the live beams are the answers"


def test_the_rules_differ_on_these_models():
    """Or the tests above could not tell them apart."""
    scores = [functools.partial(HashedModel(ending=1.0).log_probs, row) for row in range(40)]

    def answers(early_stopping: Any, penalty: float) -> list[list[Found]]:
        search = functools.partial(plain_beams.hugging_face, beams=3, limit=LIMIT, eos_id=EOS)
        return [search(of_row, early_stopping=early_stopping, penalty=penalty) for of_row in scores]

    assert answers(True, 1.0) != answers(False, 1.0)
    assert answers(False, 2.0) != answers("never", 2.0)
    assert answers(False, 0.0) != answers(False, 2.0)


def test_fewer_sequences_are_the_best_ones():
    model = HashedModel(ending=1.0)
    settings = {"max_new_tokens": LIMIT, "num_beams": 4, "length_penalty": 0.5}
    every, two = (
        model.decode(GenerationConfig(**settings, num_return_sequences=count), beams=True) for count in (4, 2)
    )
    for whole, part in zip(every, two, strict=True):
        np.testing.assert_array_equal(whole[:, :2], part)
    assert (np.diff(every.scores, axis=1) <= 0).all()


def test_one_beam_is_greedy():
    for ending in (-1.0, 2.0):
        model, config = HashedModel(ending=ending), GenerationConfig(max_new_tokens=LIMIT)
        beam, greedy = model.decode(config, beams=True), model.decode(config, beams=False)
        np.testing.assert_array_equal(beam.tokens, greedy.tokens)
        np.testing.assert_allclose(beam.log_probs, greedy.log_probs, atol=1e-5)


def test_beams_see_processed_log_probabilities():
    """Which are below 0, so that the repetition penalty multiplies; and they are not normalised again."""
    model = HashedModel(ending=1.0)
    config = GenerationConfig(
        max_new_tokens=LIMIT,
        num_beams=3,
        num_return_sequences=3,
        repetition_penalty=1.7,
        no_repeat_ngram_size=2,
        min_new_tokens=2,
        forced_prefix=(4,),
    )
    decoded = model.decode(config, beams=True)

    def processed(row: int, tokens: tuple[int, ...]) -> np.ndarray:
        scores, seen = model.log_probs(row, tokens).copy(), (START, *tokens)
        for token in set(seen):
            scores[token] *= 1.7
        for i in range(len(seen) - 1):
            if seen[i] == seen[-1]:
                scores[seen[i + 1]] = -np.inf
        if len(tokens) < 2:
            scores[EOS] = -np.inf
        return np.where(np.arange(VOCABULARY) == 4, 0.0, -np.inf) if not tokens else scores

    for row in range(model.rows):
        expected = plain_beams.hugging_face(
            functools.partial(processed, row), beams=3, limit=LIMIT, penalty=1.0, early_stopping=False, eos_id=EOS
        )
        check(decoded, model, row, expected)
    assert (decoded.tokens[:, :, 0] == 4).all()
    assert (decoded.tokens[:, :, 1] != EOS).all()


def test_beams_in_a_tree_find_all_its_answers_by_their_probability():
    answers = [(5, 6), (5,), (5, 7, 8), (2, 3)]
    model, tree = HashedModel(), PrefixTree.of(answers, eos_id=EOS)
    config = GenerationConfig(max_new_tokens=LIMIT, num_beams=4, num_return_sequences=4, length_penalty=0.0)
    decoded = model.decode(config, beams=True, tree=tree)
    for row in range(model.rows):
        ended = [(*answer, EOS) for answer in answers]
        found = [
            Found(sum(model.log_probs(row, answer[:i])[token] for i, token in enumerate(answer)), answer)
            for answer in ended
        ]
        check(decoded, model, row, sorted(found, reverse=True))


def test_more_beams_than_answers_leave_places_empty():
    model, tree = HashedModel(rows=5), PrefixTree.of([(5,), (6, 7)], eos_id=EOS)
    decoded = model.decode(
        GenerationConfig(max_new_tokens=LIMIT, num_beams=4, num_return_sequences=4), beams=True, tree=tree
    )
    for row in range(model.rows):
        found = {tuple(tokens[:3]) for tokens in decoded.tokens[row, :2].tolist()}
        assert found == {(5, EOS, PAD), (6, 7, EOS)}
        assert not decoded.tokens[row, 2:].any()
        assert (decoded.scores[row, 2:] == np.float32(-1e9)).all()


@pytest.mark.parametrize("rules", ["huggingface", "t5x"])
def test_a_blank_row_decodes_to_padding_and_the_others_do_not_notice(rules: Any):
    model = HashedModel(rows=6, ending=1.0)
    config = GenerationConfig(max_new_tokens=LIMIT, num_beams=3, num_return_sequences=2, beam_rules=rules)
    full = model.decode(config, beams=True)
    blank = np.arange(6) % 2 == 1
    some = model.decode(config, beams=True, blank=blank)
    for whole, part in zip(full, some, strict=True):
        np.testing.assert_array_equal(part[~blank], whole[~blank])
        assert not part[blank].any()
