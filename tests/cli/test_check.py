import json
from pathlib import Path

import pytest

from t5mix.cli.main import main

CONFIG = """
defaults: [experiment, _self_]
vocabulary: bytes
tasks:
  good: {files: {train: good.tsv, test: test.tsv}, inputs: "{text}", targets: label, metrics: [accuracy]}
  bad: {files: {train: bad.tsv}, inputs: "{text}", targets: label, labels: {0: "no", 1: "yes"}, metrics: [accuracy]}
"""


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.yaml").write_text(CONFIG)
    Path("good.tsv").write_text("text\tlabel\na\tone\nb\ttwo\n")
    Path("test.tsv").write_text("text\na\n")
    Path("bad.tsv").write_text("text\tlabel\na\t0\nb\t2\nc\t3\n")


def test_what_is_right_ends_with_0(capsys: pytest.CaptureFixture[str]):
    assert main(["tasks", "check", "good", "--config", "own.yaml"]) == 0
    out, err = capsys.readouterr()
    assert [line.split() for line in out.splitlines()[2:]] == [
        ["good", "train", "2", "accuracy", "100.00"],
        ["good", "test"],
    ]
    assert "good, test (warning): There is nothing to score" in err


def test_all_that_is_wrong_is_said_and_ends_with_1(capsys: pytest.CaptureFixture[str]):
    assert main(["tasks", "check", "good", "bad", "--config", "own.yaml", "--split", "train"]) == 1
    err = capsys.readouterr().err
    assert "bad, train: bad.tsv, line 3: label is '2', which labels does not list" in err
    assert "bad, train: bad.tsv, line 4: label is '3'" in err


def test_json(capsys: pytest.CaptureFixture[str]):
    assert main(["tasks", "check", "good", "--config", "own.yaml", "--split", "train", "--json", "seed=3"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry == {
        "task": "good",
        "split": "train",
        "examples": 2,
        "metrics": {"accuracy": 100.0},
        "problems": [],
        "warnings": [],
        "mismatched": [],
        "unwritable": [],
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["seed=3"], "t5mix: Name at least one task to check"),
        (["goood"], "Unknown task or mixture 'goood'. Did you mean 'good'"),
        (["good", "--split", "validation"], "Task 'good' has no split 'validation'; it has train, test."),
    ],
)
def test_what_cannot_be_checked_is_refused(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    assert main(["tasks", "check", *arguments, "--config", "own.yaml"]) == 2
    assert message in capsys.readouterr().err
