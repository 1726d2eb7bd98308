import io
import os
import time
from pathlib import Path

import pytest

from t5mix.console import stage as stage_module
from t5mix.console.stage import stage


def test_a_pipe_gets_a_line_soon_and_more_while_it_lasts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stage_module, "SECONDS_A_LINE", 0.02)
    out = io.StringIO()
    with stage("Compiling", out, after=0.01):
        time.sleep(0.15)
    first, *later = out.getvalue().splitlines()
    assert first == "Compiling ..."
    assert later[0] == "Compiling ... 0 s"
    time.sleep(0.05)
    assert len(out.getvalue().splitlines()) == 1 + len(later)  # it is over


def test_short_work_says_nothing_and_errors_pass():
    out = io.StringIO()
    with pytest.raises(KeyError), stage("Reading", out):
        raise KeyError
    assert out.getvalue() == ""


def test_without_a_label_nothing_is_shown():
    out = io.StringIO()
    with stage(None, out):
        pass
    assert out.getvalue() == ""


def test_a_terminal_gets_a_spinner_that_leaves_nothing_behind():
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    with stage("Compiling", out):
        pass
    assert "Compiling ..." in out.getvalue()
    assert out.getvalue().endswith("\x1b[1A\x1b[2K") or "\x1b[2K" in out.getvalue()


def test_lines_are_seen_while_the_descriptor_leads_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As while TensorFlow loads, whose own messages nobody should see."""
    monkeypatch.setattr(stage_module, "SECONDS_A_LINE", 0.02)
    with (
        open(tmp_path / "seen.txt", "w") as stream,
        open(os.devnull, "w") as elsewhere,
        stage("Loading", stream, after=0.0),
    ):
        os.dup2(elsewhere.fileno(), stream.fileno())
        time.sleep(0.2)
    assert len((tmp_path / "seen.txt").read_text().splitlines()) > 2
