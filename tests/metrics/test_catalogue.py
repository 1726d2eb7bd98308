"""Metrics as configuration asks for them: names, options, and names of values."""

import dataclasses
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from t5mix import metrics
from t5mix.errors import T5MixError, UnknownNameError
from t5mix.metrics.catalogue import METRICS, named_apart, values_by_name


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("accuracy", metrics.accuracy),
        ("bleu", metrics.Bleu(tokenize="intl")),
        ({"accuracy": None}, metrics.accuracy),
        ({"bleu": {}}, metrics.Bleu()),
        ({"bleu": {"tokenize": "zh"}}, metrics.Bleu(tokenize="zh")),
        ({"chrf": {"word_order": 2}}, metrics.ChrF(word_order=2)),
        ({"rouge": {"tokenizer": "unicode"}}, metrics.Rouge(tokenizer="unicode")),
        ({"token_f1": {"separator": ","}}, metrics.TokenF1(separator=",")),
        ("f1:yes", metrics.F1(label="yes")),
        ("f1: a:b ", metrics.F1(label="a:b")),
        ({"f1": {"label": "yes"}}, metrics.F1(label="yes")),
    ],
)
def test_an_entry_is_a_metric(entry, expected):
    assert metrics.metric(entry) == expected


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("blue", r"Unknown metric 'blue'\. Did you mean 'bleu'"),
        ({"blue": {"tokenize": "zh"}}, r"Unknown metric 'blue'\. Did you mean 'bleu'"),
        ("", "Unknown metric ''"),
        ("f1", "needs the label it is about"),
        ("f1: ", "needs the label it is about"),
        ({"f1": {}}, r"metrics\.f1\.label is not set"),
        ({"f1": True}, r"write 'f1:LABEL', in quotes"),  # `f1: yes`, as YAML reads it
        ({"f1": None}, r"write 'f1:LABEL', in quotes"),
        ("bleu:zh", r"are written \{bleu: \{OPTION: VALUE\}\}, not 'bleu:zh'"),
        ({"bleu": "zh"}, r"options of the metric 'bleu' are 'zh'; .* tokenize, lowercase"),
        ({"bleu": {"tokenise": "zh"}}, r"'metrics\.bleu\.tokenise'\. Did you mean metrics\.bleu\.tokenize"),
        (
            {"bleu": {"tokenize": "chinese"}},
            r"metrics\.bleu\.tokenize is 'chinese': input should be 'intl', '13a', 'zh'",
        ),
        ({"chrf": {"word_order": "two"}}, r"metrics\.chrf\.word_order is 'two'"),
        ({"chrf": {"word_order": -1}}, "word_order from 0 to 20, not 6 and -1"),
        ({"chrf": {"char_order": 0}}, "char_order from 1 to 20"),
        ({"chrf": {"word_order": 10**30}}, "does not fit into 64 bits"),
        ({"bleu": {5: "zh"}}, "metrics.bleu.5"),
        ({"bleu": {"tokenize": ["zh"]}}, r"metrics\.bleu\.tokenize is \['zh'\]"),
        ({"bleu": ["zh"]}, r"options of the metric 'bleu' are \['zh'\]"),
        ({"rouge": {"tokenizer": "russian"}}, r"is 'russian': input should be 'english' or 'unicode'"),
        ({"token_f1": {"separator": "  "}}, "leave it out to part words at white space"),
        ({"token_f1": {"separator": ",", "tokenizer": "unicode"}}, "not both"),
        ({"accuracy": {"top": 5}}, r"'accuracy' has no options; bleu, chrf, f1, rouge, token_f1 have"),
        (5, "5 is neither a name nor one name with options"),
        (None, "None is neither"),
        (["accuracy"], "neither a name"),
        ({"bleu": {}, "chrf": {}}, "neither a name"),
        ({}, "neither a name"),
    ],
)
def test_anything_else_is_refused(entry, said):
    with pytest.raises(T5MixError, match=said):
        metrics.metric(entry)


def test_a_tokenizer_that_cannot_be_had_is_refused_at_once(monkeypatch):
    import sacrebleu

    def fails(**_):
        raise RuntimeError("\nJapanese tokenization\nrequires extra dependencies")

    monkeypatch.setattr(sacrebleu, "BLEU", fails)
    with pytest.raises(T5MixError, match=r"'ja-mecab' cannot be loaded: Japanese tokenization requires .*or take char"):
        metrics.metric({"bleu": {"tokenize": "ja-mecab"}})
    with pytest.raises(T5MixError, match=r"'flores200' cannot be loaded.*~/.sacrebleu/models"):
        metrics.metric({"bleu": {"tokenize": "flores200"}})


# Names ------------------------------------------------------------------------------------------------

ZH, PLUS = metrics.Bleu(tokenize="zh"), metrics.ChrF(word_order=2, lowercase=True)


def names(*each):
    return [metric.__name__ for metric in named_apart(each)]


def test_one_of_a_kind_goes_by_its_plain_name():
    assert names(ZH, PLUS, metrics.f1("a"), metrics.accuracy) == ["bleu", "chrf", "f1", "accuracy"]


def test_several_of_a_kind_have_their_options_in_their_names():
    assert names(metrics.bleu, ZH, metrics.f1("a"), metrics.f1("b: c")) == [
        "bleu",
        "bleu:tokenize=zh",
        "f1:a",
        "f1:b: c",
    ]
    assert names(metrics.chrf, PLUS) == ["chrf", "chrf:word_order=2,lowercase=True"]
    plain, chinese = named_apart([metrics.bleu, ZH])
    texts = ["今天的天气非常好。"]
    assert {**plain(texts, texts), **chinese(texts, texts)} == {"bleu": 0.0, "bleu:tokenize=zh": pytest.approx(100)}
    assert list(chinese.signatures(texts)) == ["bleu:tokenize=zh"]
    assert chinese.example_scores(texts, texts)["bleu:tokenize=zh"].kind == "bleu"
    assert list(inspect.signature(chinese).parameters) == ["targets", "predictions"]


@pytest.mark.parametrize(
    ("each", "said"),
    [
        ((metrics.bleu, metrics.Bleu()), "'bleu' is listed twice"),
        ((ZH, ZH), "'bleu:tokenize=zh' is listed twice"),
        ((metrics.f1("a"), metrics.f1("a")), "'f1:a' is listed twice"),
        ((metrics.squad, metrics.trivia_qa), "'squad' and 'trivia_qa' both give a value called 'em'"),
        ((metrics.squad, metrics.f1("a")), "'squad' and 'f1' both give a value called 'f1'"),
    ],
)
def test_values_of_one_name_are_refused(each, said):
    with pytest.raises(T5MixError, match=said):
        named_apart(each)


def test_values_follow_from_names():
    rouge = named_apart([metrics.rouge, metrics.Rouge(tokenizer="unicode")])[1]
    for metric in [*METRICS.values(), metrics.f1("a"), rouge]:
        assert values_by_name(metric.__name__) == list(metric([], []))
    assert values_by_name("f1:a") == ["f1:a"]
    assert values_by_name("my_own") is None


def test_an_unknown_name_offers_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'accuracy'"):
        metrics.metric("acuracy")


# Documentation ----------------------------------------------------------------------------------------

PAGE = (Path(__file__).parents[2] / "docs/metrics.md").read_text(encoding="utf-8")


def cells(heading, column):
    """The names in code of a column of the table whose first line has a heading, row by row."""
    rows = PAGE.split(f"| {heading} |", 1)[1].split("\n\n")[0].splitlines()[2:]
    return [re.findall(r"`([^`]+)`", row.split("|")[1 + column]) for row in rows]


def test_the_page_has_every_metric_with_its_values():
    found = {}
    for names, values in zip(cells("metric", 0), cells("metric", 1), strict=True):
        for name in names:
            found[name.removesuffix(":LABEL")] = values or [name]
    assert found == {name: values_by_name(name) for name in [*METRICS, "f1"]}


def test_the_page_has_every_option():
    found = {
        (of, option)
        for options, ofs in zip(cells("option", 0), cells("option", 1), strict=True)
        for option in options
        for of in ofs
    }
    classes = (metrics.Bleu, metrics.ChrF, metrics.F1, metrics.Rouge, metrics.TokenF1)
    assert found == {(cls.kind, field.name) for cls in classes for field in dataclasses.fields(cls)}


def test_the_pages_example_is_read():
    block = re.search("```yaml\n(.*?)```", PAGE, re.DOTALL)
    named = named_apart([metrics.metric(entry) for entry in yaml.safe_load(block[1])["metrics"]])
    assert [metric.__name__ for metric in named] == [
        *("accuracy", "f1:positive", "f1:negative", "bleu", "chrf", "rouge", "token_f1"),
    ]


# Loading ----------------------------------------------------------------------------------------------

SLOW = ("sacrebleu", "rouge_score", "nltk", "scipy", "sklearn", "regex", "pydantic", "tensorflow", "jax")


def loaded_after(code):
    code += f"\nimport sys; print(*(name for name in {SLOW} if name in sys.modules))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def test_metrics_load_nothing_that_is_slow_until_they_need_it():
    assert loaded_after("import t5mix.metrics, t5mix.metrics.perfect") == []
    code = "from t5mix import metrics as m; m.spearman([1, 2], [1, 2]); m.rouge(['a b'], ['a']); m.squad(['a'], ['a'])"
    assert loaded_after(code) == []
    assert loaded_after("from t5mix import metrics as m; m.bleu(['a'], ['a'])") == ["sacrebleu", "regex"]
