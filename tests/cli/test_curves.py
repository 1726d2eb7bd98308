"""`t5mix curves`, and the picture that `t5mix train` leaves."""

import json
from pathlib import Path
from typing import Any

import pytest

from t5mix.cli.main import main
from t5mix.runs import train as train_module
from t5mix.training.job import Outcome
from tests.support.stages import without_stages

STAGES = ("Loading matplotlib", "Drawing")


def make_run(folder: Path, name: str, loss: float) -> Path:
    run = folder / name
    run.mkdir()
    task = {"loss": loss, "examples": 30, "expected_examples": 31.5, "tokens": 400, "epochs": 0.75, "proportion": 1.0}
    lines = [
        {"kind": "train", "step": 10, "tasks": {"a": task}},
        {"kind": "evaluation", "step": 10, "tasks": {"a": {"loss": 2 * loss}}},
    ]
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return run


def test_one_run_is_shown_and_drawn_into_its_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run = make_run(tmp_path, "r", 1.25)
    assert main(["curves", str(run)]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(f"{run} after 10 steps")
    row = next(line.split() for line in captured.out.splitlines() if line.startswith("a "))
    assert row == ["a", "30", "31.5", "400", "0.75", "1.2500", "2.5000"]
    assert without_stages(captured.err, *STAGES) == f"Drawn: {run / 'curves.png'}\n"
    assert (run / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_several_runs_stand_together(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any):
    runs = [make_run(tmp_path, name, loss) for name, loss in (("r", 1.0), ("s", 2.0))]
    monkeypatch.chdir(tmp_path)
    assert main(["curves", *map(str, runs)]) == 0
    out = capsys.readouterr().out
    rows = [line.split() for line in out.splitlines() if line.startswith("a ")]
    assert [(row[1], row[-2]) for row in rows] == [(str(runs[0]), "1.0000"), (str(runs[1]), "2.0000")]
    assert (tmp_path / "curves.png").exists()
    assert not (runs[0] / "curves.png").exists()


def test_a_picture_of_several_runs_never_replaces_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
):
    runs = [str(make_run(tmp_path, name, 1.0)) for name in ("r", "s")]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "curves.png").write_text("another")
    for expected in ("curves-2.png", "curves-3.png"):
        assert main(["curves", *runs]) == 0
        assert without_stages(capsys.readouterr().err, *STAGES) == f"Drawn: {expected}\n"
    assert (tmp_path / "curves.png").read_text() == "another"
    assert main(["curves", *runs, "--out", "curves.png"]) == 0  # now it was asked for
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run = make_run(tmp_path, "r", 1.25)
    assert main(["curves", str(run), "--json", "--out", str(tmp_path / "b.svg")]) == 0
    task = {"examples": 30, "expected": 31.5, "tokens": 400, "epochs": 0.75, "loss": 1.25, "validation": 2.5}
    assert json.loads(capsys.readouterr().out) == {"runs": [{"run": str(run), "step": 10, "tasks": {"a": task}}]}
    assert (tmp_path / "b.svg").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "t5mix: nowhere is no run of t5mix: there is no such folder."),
        (["."], "t5mix: . has logged nothing yet in metrics.jsonl"),
        (["r", "--out", "a.jpg"], "t5mix: --out a.jpg: the name must end in .png, .svg or .pdf."),
        (["r", "--out", "x/a.png"], "t5mix: --out x/a.png: there is no folder"),
        (["r", "r"], "t5mix: r is given twice"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
):
    make_run(tmp_path, "r", 1.0)
    monkeypatch.chdir(tmp_path)
    assert main(["curves", *arguments]) == 2
    assert capsys.readouterr().err.startswith(message)
    assert [file.name for file in tmp_path.iterdir()] == ["r"]


@pytest.mark.parametrize(("finished", "drawn"), [(True, True), (False, False)])
def test_a_finished_run_is_drawn(
    finished: bool, drawn: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
):
    run = make_run(tmp_path, "r", 1.0)
    outcome = Outcome(10, finished=finished, signal=None if finished else "SIGTERM")
    monkeypatch.setattr(train_module, "train_experiment", lambda experiment: outcome)
    main(["train", f"run_dir={run}", "mixture=demo"])
    assert (run / "curves.png").exists() is drawn
    assert (f"Drawn: {run / 'curves.png'}" in capsys.readouterr().err) is drawn


def test_a_run_that_cannot_be_drawn_is_finished_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
):
    monkeypatch.setattr(train_module, "train_experiment", lambda experiment: Outcome(10, finished=True))
    assert main(["train", f"run_dir={tmp_path}/none", "mixture=demo"]) == 0
    err = capsys.readouterr().err
    assert "Not drawn:" in err
    assert "Done: 10 steps" in err
