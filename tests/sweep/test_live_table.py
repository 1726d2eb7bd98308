"""What a running sweep shows of its runs."""

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from t5mix.sweep import live_table
from t5mix.sweep.folder import SweepFolder
from t5mix.sweep.live_table import SweepProgress
from t5mix.sweep.plan import Trial
from t5mix.tracking.metrics_file import read_metrics


def active(folder: Path, name: str, steps: int, lines: list[dict[str, Any]]) -> Any:
    run = folder / "runs" / name
    run.mkdir(parents=True)
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"kind": "tr')
    shown = "base, seed 1" if name == "base" else f"{Trial(name, 1, 0.002, None, 'id')}, tuning"
    planned = SimpleNamespace(name=name, folder=name, steps=steps)
    return SimpleNamespace(name=shown, run=planned, since=live_table.time.monotonic() - 65)


@pytest.mark.parametrize("terminal", [True, False])
def test_runs_losses_and_what_is_left_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: bool):
    shown = io.StringIO()
    monkeypatch.setattr(live_table, "Console", lambda stderr: Console(file=shown, force_terminal=terminal, width=100))
    screen = SweepProgress(SweepFolder(tmp_path))
    logged = [{"kind": "train", "step": step, "loss": 9.0 / step} for step in (2, 4)]
    runs = [
        active(tmp_path, "half", 8, [*logged, {"kind": "evaluation", "step": 4}]),
        active(tmp_path, "whole", 4, logged),
        active(tmp_path, "base", 4, []),
    ]
    screen._began -= 600
    screen.update(runs, 4, 10)  # done before this start
    screen.update(runs, 6, 10)
    screen.info("something happened to half[1]")
    screen.close()
    said = " ".join(shown.getvalue().split())
    assert "something happened to half[1]" in said
    assert "about 20 min left" in said
    if terminal:
        assert "half, lr 0.002, seed 1, tuning 4 of 8 2.250 1:05" in said
        assert "being scored 2.250" in said
        assert "base, seed 1 0 of 4" in said
        assert "6/10" in said
    else:
        assert "4 of 10 runs done. something" not in said
        assert said.startswith("4 of 10 runs done. 6 of 10 runs done. about 20 min left")


def test_in_a_pipe_a_line_comes_every_few_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shown = io.StringIO()
    monkeypatch.setattr(live_table, "Console", lambda stderr: Console(file=shown, force_terminal=False, width=100))
    screen = SweepProgress(SweepFolder(tmp_path))
    logged = [{"kind": "train", "step": 2, "loss": 4.5}]
    half, whole = active(tmp_path, "half", 8, logged), active(tmp_path, "whole", 2, logged)
    base = active(tmp_path, "base", 4, [])
    screen.update([base], 0, 3)
    screen.update([base], 0, 3)  # no seconds have passed
    for processes in ([half, whole], [whole], []):
        screen._spoken -= 10
        screen.update(processes, 0, 3)
    screen.close()
    assert shown.getvalue().splitlines() == [
        "0 of 3 runs done.",
        "half, lr 0.002, seed 1, tuning: step 2 of 8, loss 4.500, 1:05; 1 more at once",
        "whole, lr 0.002, seed 1, tuning: being scored, 1:05",
    ]


def test_the_last_line_of_a_kind_is_found(tmp_path: Path):
    file = tmp_path / "metrics.jsonl"
    assert read_metrics(file).train == []
    file.write_text('{"kind": "train", "step": 1}\n{"kind": "evaluation", "step": 1}\n{"kind": "tra')
    assert read_metrics(file).train[-1] == {"kind": "train", "step": 1}
