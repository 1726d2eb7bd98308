"""From decoded text to what metrics compare."""

import math

import numpy as np
import pytest

from t5mix.errors import T5MixError
from t5mix.metrics import postprocessors


def test_string_strips():
    assert postprocessors.string(" a b\n", example={}, is_target=True) == "a b"


def test_label_choice():
    choose = postprocessors.label_choice(["yes", "no"])
    assert choose(" yes ", example={}, is_target=True) == "yes"
    assert choose("no") == "no"
    assert choose("Yes") == choose("") == postprocessors.INVALID
    with pytest.raises(T5MixError, match=r"'maybe'.*yes, no"):
        choose("maybe", example={}, is_target=True)


def test_number():
    assert postprocessors.number("3.8") == 3.8
    assert postprocessors.number(" -2 ", example={}, is_target=True) == -2.0
    for text in ("three", "", "nan", "inf", "1e999"):
        assert math.isnan(postprocessors.number(text))
    with pytest.raises(T5MixError, match="'three'"):
        postprocessors.number("three", is_target=True)


@pytest.mark.parametrize(
    "value",
    [
        np.array([b"caf\xc3\xa9", b"bar"], object),
        np.array(["caf\u00e9", "bar"]),
        ["caf\u00e9", "bar"],
        "caf\u00e9|||bar",
        b"caf\xc3\xa9 ||| bar",
        np.bytes_(b"caf\xc3\xa9|||bar"),
    ],
)
def test_answers_of_a_target(value):
    read = postprocessors.answers("aliases")
    assert read("ignored", example={"aliases": value}, is_target=True) == ["caf\u00e9", "bar"]


def test_answers_of_a_prediction_and_without_the_field():
    read = postprocessors.answers()
    assert read(" bar ", example={"answers": ["x"]}) == "bar"
    with pytest.raises(T5MixError, match=r"'answers'; there is only id, inputs"):
        read("x", example={"inputs": 1, "id": 2}, is_target=True)


def test_grouped_label():
    choose = postprocessors.grouped_label(["True", "False"], "question")
    assert choose("True", example={"question": b"q1"}, is_target=True) == {"group": "q1", "label": "True"}
    assert choose("False", example={"question": b"q1"}) == "False"
    assert choose("?", example={"question": b"q1"}) == postprocessors.INVALID
