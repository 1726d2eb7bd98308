"""`t5mix report`."""

import json
from pathlib import Path

import pytest

from t5mix.cli.main import main
from tests.support.synthetic_sweep import make_sweep


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sweep(tmp_path_factory.mktemp("sweep") / "made-up", failed=("lora, r=8", 1))


def test_the_report_is_written_into_the_sweeps_folder(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["report", str(folder)]) == 0
    captured = capsys.readouterr()
    assert (folder / "report" / "index.html").is_file()
    assert captured.err.endswith(f"Written: {folder / 'report' / 'index.html'}\n")
    assert "Note: 1 of 21 trials to be reported is missing" in captured.err
    row = next(line for line in captured.out.splitlines() if line.startswith("odm "))
    assert row.count("▲") == 2
    assert "supported: H1: Training everything beats a low rank" in captured.out


def test_json_says_the_same_of_a_report_that_lies_elsewhere(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("t5mix.report.write.save_figure", lambda figure, into: None)  # they take longest
    out = tmp_path / "a" / "b"
    assert main(["report", str(folder), "--json", "--out", str(out)]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["reference"] in {method["method"] for method in shown["methods"]}
    odm = next(method for method in shown["methods"] if method["method"] == "odm")
    assert sum(column["better"] for column in odm["columns"].values()) == 2
    column = next(iter(odm["columns"].values()))
    assert column["low"] < column["mean"] < column["high"]
    verdict = shown["hypotheses"][0]
    assert (verdict["name"], verdict["verdict"]) == ("H1", "supported")
    assert verdict["claim"] == "Training everything beats a low rank"
    assert any("1 of 21 trials" in note for note in shown["notes"])
    assert shown["report"] == str(out / "index.html")
    assert (out / "report.md").is_file()


def test_what_cannot_be_reported_is_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["report", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(f"t5mix: {tmp_path} is no sweep's folder: it holds no sweep.json.")
    (tmp_path / "file").touch()
    assert main(["report", str(folder), "--out", str(tmp_path / "file")]) == 2
    assert "is a file; the report is a folder" in capsys.readouterr().err
