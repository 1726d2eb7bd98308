import shlex

import pytest

from t5mix.config.compose import compose_experiment
from t5mix.config.override_text import parse, plain_override, quoted
from t5mix.config.reading import read_experiment
from t5mix.errors import T5MixError

TEXT_KEYS = ("run_dir", "vocabulary")


def value_of(text: str) -> object:
    return parse(plain_override(text, TEXT_KEYS)).value()


@pytest.mark.parametrize(
    "path",
    [
        *("runs/größe", "runs/lr=1e-3", "~/runs/x", "runs/a,b", "runs/x#1", "runs/my run", "runs/a(b)", "runs/{x}"),
        *("123", "1e-3", "true", "inf", "choice(a)", "runs/2024-01-01", "runs/a'b", "C:\\x\\y", "$HOME/x", "a\\"),
        *("runs/%s&*", "runs/x!", 'a"b', "實驗/一", "a\\'b", "runs/a:b", "range(1,2)", "-x", "a]"),
    ],
)
def test_a_path_is_taken_as_given(path: str):
    assert value_of(f"run_dir={path}") == path
    assert value_of(f"++run_dir={path}") == path
    assert read_experiment(compose_experiment("demo", [f"store_dir={path}"])).store_dir == path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("vocabulary=null", None),
        ("vocabulary=", ""),
        ("run_dir='runs/a,b'", "runs/a,b"),
        ('run_dir="runs/a b"', "runs/a b"),
        ("run_dir=[runs/x]", ["runs/x"]),
        ("run_dir= runs/x ", "runs/x"),
        ("seed=5", 5),
        ("mixing.power=1e-3", 1e-3),
        ("mixing.reference=runs/größe", "runs/größe"),
        ("mixing.reference=runs/lr=1e-3", "runs/lr=1e-3"),
        ("mixture=[a,b]", ["a", "b"]),
        ("seed=5=6", "5=6"),
    ],
)
def test_other_values_are_read_by_hydras_grammar_and_text_that_it_refuses_is_text(text: str, value: object):
    assert value_of(text) == value


@pytest.mark.parametrize("text", ["a,b", "it's", "\\", "x\\'", "größe", "a: b", "", " a "])
def test_quoted_text_is_read_as_it_was(text: str):
    assert parse(f"key={quoted(text)}").value() == text


@pytest.mark.parametrize("text", ["run_dir=[x", "mixing.reference={a,b", "mixture='a", 'run_dir="a'])
def test_what_must_be_quoted_is_refused_with_what_to_type(text: str):
    with pytest.raises(T5MixError, match=r"is not an override: write key=value.* in quotes: ") as refused:
        plain_override(text, TEXT_KEYS)
    (typed,) = shlex.split(str(refused.value).partition("in quotes: ")[2].removesuffix("."))
    assert value_of(typed) == text.partition("=")[2]


@pytest.mark.parametrize("text", ["mixture=a,b", "training.steps=choice(1,2)", "mixing.reference=runs/a,b"])
def test_several_values_are_refused_with_what_to_type(text: str):
    with pytest.raises(T5MixError, match=r"several values, and a run takes one\. A list is written ") as refused:
        plain_override(text, TEXT_KEYS)
    key, value = text.split("=")
    assert f"'{key}=[{value}]'" in str(refused.value)


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    overrides = ["run_dir=~/runs/x", "start_from=~/y", "vocabulary=~/v.model", "mixture=demo"]
    experiment = read_experiment(compose_experiment(overrides=overrides))
    assert (experiment.run_dir, experiment.start_from, experiment.vocabulary) == (
        *("/home/somebody/runs/x", "/home/somebody/y", "/home/somebody/v.model"),
    )
