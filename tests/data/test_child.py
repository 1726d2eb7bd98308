"""Child processes: what comes back of them."""

import json

import pytest

from t5mix.data.child import Child
from t5mix.errors import T5MixError

CHILD = """
import json, os, pathlib, sys
how, out = sys.argv[1], pathlib.Path(sys.argv[3])
if how == "result":
    out.write_text(json.dumps({"devices": os.environ["CUDA_VISIBLE_DEVICES"]}))
if how == "error":
    out.write_text(json.dumps({"error": "the label is wrong"}))
    sys.exit(2)
if how == "crash":
    raise RuntimeError("out of luck")
"""


@pytest.fixture
def child(tmp_path, monkeypatch):
    (tmp_path / "a_child_to_run.py").write_text(CHILD)
    monkeypatch.syspath_prepend(tmp_path)
    return lambda how: json.loads(Child("a_child_to_run", [how], tmp_path / "out.json").result().read_text())


def test_the_result_comes_back_and_there_are_no_accelerators(child):
    assert child("result") == json.loads('{"devices": ""}')


def test_the_childs_error_comes_back_word_for_word(child):
    with pytest.raises(T5MixError, match=r"^the label is wrong$"):
        child("error")


def test_a_crash_shows_what_was_printed(child):
    with pytest.raises(T5MixError, match=r"(?s)a_child_to_run ended with exit status 1.*out of luck"):
        child("crash")
