"""`t5mix delta`: the arguments; what is done with them is tested in tests/runs/test_deltas.py."""

import json
from pathlib import Path
from typing import Any

import pytest

from t5mix.checkpoint.reader import Base
from t5mix.cli.main import main
from t5mix.runs import deltas


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was asked for."""
    calls: list[Any] = []

    def note(name: str) -> Any:
        def call(*arguments: Any, **named: Any) -> Path:
            calls.append((name, arguments, named))
            return Path("made/checkpoints/7")

        return call

    monkeypatch.setattr(deltas, "merge_delta", note("merge"))
    monkeypatch.setattr(deltas, "extract_task", note("extract"))
    return calls


def test_merge_and_extract_say_where_it_is(called: list[Any], capsys: pytest.CaptureFixture[str]):
    assert main(["delta", "merge", "runs/a", "made"]) == 0
    assert main(["delta", "extract", "runs/a", "made", "--task", "qa"]) == 0
    assert called == [
        ("merge", (Path("runs/a"), Path("made")), {"base": None, "task": None}),
        ("extract", (Path("runs/a"), Path("made"), "qa"), {"base": None}),
    ]
    assert capsys.readouterr().out == "made/checkpoints/7\n" * 2


def test_extract_needs_a_task(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["delta", "extract", "runs/a", "made"])
    assert "--task" in capsys.readouterr().err


def test_a_run_without_a_checkpoint_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["delta", "show", str(tmp_path)]) == 2
    assert "holds no checkpoint" in capsys.readouterr().err


def test_contents_are_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    contents = {
        "lora": deltas.CheckpointContents(
            Path("lora/7"), {"kind": "lora"}, Base(Path("base/3"), "ab" * 32), 1200, 50_000, None
        ),
        "base": deltas.CheckpointContents(Path("base/3"), {"kind": "full"}, None, 48_800, 48_800, "ab" * 32),
    }
    monkeypatch.setattr(deltas, "inspect_checkpoint", lambda path: contents[path.name])
    assert main(["delta", "show", "lora", "base"]) == 0
    out = capsys.readouterr().out
    assert "1,200" in out
    assert out.count("abababababab") == 2
    assert main(["delta", "show", "lora", "base", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown[0]["base"]["identity"] == shown[1]["identity"] == "ab" * 32
