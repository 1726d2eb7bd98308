import functools
import importlib
import sys

import pytest

from t5mix.cache.fingerprint import _code_behind, _Describer
from t5mix.files import sha256_of_json

SCALE = 2


def helper(value):
    return value * SCALE


def step(dataset, factor=1):
    return helper(dataset) * factor


def describe(value) -> str:
    return sha256_of_json({"value": _Describer().value(value)})


def test_a_function_counts_with_what_it_calls_and_captures(monkeypatch):
    first = describe(step)
    assert first == describe(step)
    assert first != describe(helper)
    assert describe(functools.partial(step, factor=2)) != describe(functools.partial(step, factor=3))
    assert describe((lambda seed: lambda x: x + seed)(1)) != describe((lambda seed: lambda x: x + seed)(2))
    monkeypatch.setattr(sys.modules[__name__], "SCALE", 3)
    assert describe(step) != first


def test_plain_values_count_as_they_are():
    assert describe({"b": [1, 2.5, None], "a": {"x", "y"}}) == describe({"a": {"y", "x"}, "b": [1, 2.5, None]})
    assert describe(object()) == describe(object())  # no address gets in


@pytest.fixture
def package(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    folder = tmp_path / "fp_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "words.py").write_text("WORDS = ['a']\n\ndef words():\n    return WORDS\n")
    (folder / "source.py").write_text("from fp_package.words import words\n\ndef read(split):\n    return words()\n")
    (folder / "other.py").write_text("OTHER = 1\n")
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == "fp_package"]:
        del sys.modules[name]


def test_the_code_behind_a_source_is_its_module_and_those_it_uses(package):
    module = importlib.import_module("fp_package.source")
    importlib.import_module("fp_package.other")
    first = _code_behind(functools.partial(module.read, "train"))
    (package / "other.py").write_text("OTHER = 2\n")
    assert _code_behind(module.read) == first
    (package / "words.py").write_text("WORDS = ['b']\n\ndef words():\n    return WORDS\n")
    assert _code_behind(module.read) != first
