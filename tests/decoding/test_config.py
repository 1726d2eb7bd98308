"""Settings that mean nothing, or contradict each other, are refused by name."""

from typing import Any

import pytest

from t5mix.decoding import GenerationConfig, PrefixTree
from t5mix.errors import T5MixError
from t5mix.validation import to_plain, validate


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens is 0: it must be 1 or more"),
        ({"num_beams": 0}, "num_beams is 0: it must be 1 or more"),
        ({"num_return_sequences": 0}, "num_return_sequences is 0"),
        ({"min_new_tokens": -1}, "min_new_tokens is -1: it must be 0 or more"),
        ({"do_sample": True, "top_k": -1}, "top_k is -1"),
        ({"no_repeat_ngram_size": -2}, "no_repeat_ngram_size is -2"),
        ({"do_sample": True, "temperature": 0.0}, "temperature is 0.0: it must be a number above 0"),
        ({"do_sample": True, "temperature": float("inf")}, "temperature is inf"),
        ({"repetition_penalty": -1.0}, "repetition_penalty is -1.0"),
        ({"do_sample": True, "top_p": 0.0}, "top_p is 0.0: it must be above 0, and at most 1"),
        ({"do_sample": True, "top_p": 1.5}, "top_p is 1.5"),
        ({"do_sample": True, "min_p": 1.5}, "min_p is 1.5: it must be from 0"),
        ({"num_beams": 2, "length_penalty": float("inf")}, "length_penalty is inf"),
        ({"seed": -1}, "seed is -1"),
        ({"forced_prefix": (3, -1)}, "forced_prefix is"),
        ({"max_new_tokens": 3, "min_new_tokens": 4}, "min_new_tokens asks for 4 tokens, and max_new_tokens allows 3"),
        ({"max_new_tokens": 1, "forced_prefix": (3, 4)}, "forced_prefix asks for 2 tokens"),
        ({"num_beams": 2, "num_return_sequences": 3}, "num_return_sequences is 3, and num_beams 2"),
        ({"num_return_sequences": 3}, "greedy decoding has one answer: set do_sample, or num_beams to 3 or more"),
        ({"temperature": 0.5}, "temperature is 0.5, which only samples heed: set do_sample"),
        ({"top_k": 5}, "top_k is 5, which only samples heed"),
        ({"early_stopping": "never"}, "early_stopping is 'never', which only beams heed: raise num_beams above 1"),
        ({"length_penalty": 0.6}, "length_penalty is 0.6, which only beams heed"),
        ({"beam_rules": "t5x"}, "beam_rules is 't5x', which only beams heed"),
        ({"num_beams": 2, "beam_rules": "t5x", "early_stopping": True}, "T5X's beam search does not have"),
    ],
)
def test_what_means_nothing_is_refused(settings: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message.replace("(", r"\(").replace("[", r"\[")):
        GenerationConfig(**settings)


@pytest.mark.parametrize("early_stopping", [True, False, "never"])
def test_settings_come_back_from_plain_data(early_stopping: Any):
    config = GenerationConfig(num_beams=3, early_stopping=early_stopping, forced_prefix=(4, 5))
    assert validate(GenerationConfig, to_plain(config)) == config
    assert hash(config) == hash(validate(GenerationConfig, to_plain(config)))  # as jit wants it


def test_a_word_that_is_not_known_is_refused_in_plain_data():
    with pytest.raises(T5MixError, match=r"generation\.early_stopping"):
        validate(GenerationConfig, {"num_beams": 2, "early_stopping": "sometimes"}, "generation")
    with pytest.raises(T5MixError, match=r"generation.num_beam'.*Did you mean generation.num_beams"):
        validate(GenerationConfig, {"num_beam": 2}, "generation")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_new_tokens": 3}, "the longest allowed answer has 4 tokens, its end included: raise max_new_tokens to 4"),
        ({"max_new_tokens": 9, "min_new_tokens": 2}, "the shortest allowed answer has 1: lower min_new_tokens to 1"),
        (
            {"max_new_tokens": 9, "no_repeat_ngram_size": 2},
            "no_repeat_ngram_size cannot be combined",
        ),
        ({"max_new_tokens": 9, "forced_prefix": (5,)}, "forced_prefix cannot be combined"),
        (
            {"max_new_tokens": 9, "num_beams": 4, "num_return_sequences": 3},
            "2 answers are allowed: lower num_return_seq",
        ),
    ],
)
def test_answers_that_a_configuration_bars_are_refused(settings: dict[str, Any], message: str):
    tree = PrefixTree.of([[5], [5, 6, 7]], eos_id=1)
    with pytest.raises(T5MixError, match=message):
        tree.check(GenerationConfig(**settings))


@pytest.mark.parametrize(
    ("answers", "message"),
    [([], "No answers"), ([[5], [5, 1]], "has the token 1"), ([[0]], "has the token 0"), ([[-3]], "has the token -3")],
)
def test_answers_that_cannot_be_given_are_refused(answers: list[list[int]], message: str):
    with pytest.raises(T5MixError, match=message):
        PrefixTree.of(answers, eos_id=1)


def test_a_length_that_is_not_set_is_the_callers():
    assert GenerationConfig().with_limit(7).limit == 7
    assert GenerationConfig(max_new_tokens=3).with_limit(7).limit == 3
    with pytest.raises(ValueError, match="min_new_tokens asks for 9 tokens, and max_new_tokens allows 7"):
        GenerationConfig(min_new_tokens=9).with_limit(7)
    with pytest.raises(T5MixError, match="max_new_tokens is not set"):
        _ = GenerationConfig().limit
