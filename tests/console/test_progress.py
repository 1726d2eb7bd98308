"""Progress displays."""

import io
import re
import time

import pytest

from t5mix.console import progress as progress_module
from t5mix.console.progress import progress
from tests.support.terminal import Terminal


def test_without_a_terminal_the_end_gives_a_line():
    stream = io.StringIO()
    with progress("decoding cola", 8, stream) as advance:
        advance(4)
        assert stream.getvalue() == ""  # seconds have not passed
        advance(4)
    assert stream.getvalue().startswith("decoding cola: 8 examples, ")


def test_without_a_terminal_lines_go_on_while_nothing_advances(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(progress_module, "SECONDS_A_LINE", 0.02)
    stream = io.StringIO()
    with progress("decoding cola", 8, stream):
        time.sleep(0.1)
        assert stream.getvalue().startswith("decoding cola: 0/8 examples, ")
    assert len(stream.getvalue().splitlines()) > 2


def test_brief_work_gives_no_line(monkeypatch: pytest.MonkeyPatch):
    stream = io.StringIO()
    with progress("Evaluating", 8, stream, brief=True) as advance:
        advance(8)
    assert stream.getvalue() == ""
    monkeypatch.setattr(progress_module, "SECONDS_A_LINE", 0.02)
    with progress("Evaluating", 8, stream, brief=True) as advance:
        advance(4)
        time.sleep(0.1)
    assert stream.getvalue().startswith("Evaluating: 4/8 examples, ")


def test_on_a_terminal_there_is_a_bar():
    stream = Terminal()
    with progress("decoding cola", 8, stream) as advance:
        advance(8)
    assert "decoding cola" in stream.getvalue()
    assert "8/8" in stream.getvalue()


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colours_can_be_turned_off(no_color: str, coloured: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", no_color)
    stream = Terminal()
    with progress("decoding cola", 8, stream) as advance:
        advance(8)
    assert bool(re.search(r"\x1b\[(\d+;)*(3|4|9|10)\d[;m]", stream.getvalue())) is coloured


def test_no_label_shows_nothing():
    stream = io.StringIO()
    with progress(None, 8, stream) as advance:
        advance(8)
    assert stream.getvalue() == ""
