import pytest

from t5mix.errors import T5MixError
from t5mix.sources.labels import LabelTexts


@pytest.mark.parametrize(
    ("labels", "value", "text"),
    [
        ({0: "bad", "unknown": "open"}, "unknown", "open"),
        ({0: "bad", 1: "good"}, "1.0", "good"),  # a column of whole numbers with gaps
        ({0.5: "half"}, "0.50", "half"),
        ({False: "negative", True: "positive"}, "yes", "positive"),
        ({False: "negative", True: "positive"}, "No", "negative"),
        ({False: "negative", True: "positive"}, "TRUE", "positive"),
        ({"1": "text", "1.0": "number"}, "1.0", "number"),  # as it stands goes first
    ],
)
def test_values_find_their_label(labels, value, text):
    assert LabelTexts("label", labels)[value] == text


@pytest.mark.parametrize("value", ["2", "", " 0", "0_0", "nan", "no", "\u0660"])
def test_other_values_are_refused(value):
    with pytest.raises(T5MixError, match=r"label is .*, which labels does not list\. It lists 0, 1"):
        LabelTexts("label", {0: "bad", 1: "good"})[value]


def test_large_numbers_are_not_rounded():
    with pytest.raises(T5MixError, match="which labels does not list"):
        LabelTexts("label", {9007199254740992: "a"})["9007199254740993"]


def test_names_of_classes():
    names = ["neg", "pos"]
    assert LabelTexts("label", None, names)["1"] == "pos"
    assert LabelTexts("label", {"neg": "bad", "pos": "good"}, names)["0"] == "bad"
    assert LabelTexts("label", {0: "bad", 1: "good"}, names)["1"] == "good"
    with pytest.raises(T5MixError, match="label is '-1'"):
        LabelTexts("label", None, names)["-1"]
