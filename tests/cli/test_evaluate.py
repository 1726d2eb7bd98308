"""`t5mix eval`: what it shows; how scores are made is tested in tests/runs/test_evaluate.py."""

import json
from pathlib import Path
from typing import Any

import pytest

from t5mix.cli.main import main
from t5mix.metrics.example_scores import TaskEvaluation

METRICS = {
    "cola": {"loss": 1.005, "token_accuracy": 79.5, "matthews": -0.01852},
    "squad": {"loss": 12.25, "token_accuracy": 100.0, "em": 0.0, "f1": 38.5},
}


@pytest.fixture(autouse=True)
def _evaluated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs/a").mkdir(parents=True)

    def evaluate_run(run: Path, *, notice: Any, split: str, **_: Any) -> dict[str, TaskEvaluation]:
        notice(f"no {split} split: ende, notes")
        return {task: TaskEvaluation(metrics) for task, metrics in METRICS.items()}

    monkeypatch.setattr("t5mix.runs.evaluate.evaluate_run", evaluate_run)


def test_losses_stand_apart_from_scores(capsys: pytest.CaptureFixture[str]):
    assert main(["eval", "runs/a"]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [
        "runs/a, validation",
        "task   metric           score  loss (nats)",
        "-----  --------------  ------  -----------",
        "cola   token_accuracy   79.50       1.0050",
        "cola   matthews         -0.02",
        "squad  token_accuracy  100.00      12.2500",
        "squad  em                0.00",
        "squad  f1               38.50",
    ]
    assert captured.err == "no validation split: ende, notes\n"


@pytest.mark.parametrize(
    "words",
    [
        ["tasks.cola.files.test=new.tsv", "--tasks", "cola", "squad"],
        ["--tasks", "cola", "squad", "tasks.cola.files.test=new.tsv"],
        ["--tasks", "cola", "squad", "--json", "tasks.cola.files.test=new.tsv"],
    ],
)
def test_new_files_may_stand_before_and_after_the_options(words: list[str], monkeypatch: pytest.MonkeyPatch):
    used: dict[str, Any] = {}
    monkeypatch.setattr("t5mix.runs.evaluate.evaluate_run", lambda run, **settings: used.update(settings) or {})
    assert main(["eval", "runs/a", *words]) == 0
    assert (used["tasks"], used["settings"]) == (["cola", "squad"], ["tasks.cola.files.test=new.tsv"])


def test_signatures_follow_the_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    evaluation = TaskEvaluation({"loss": 1.0, "bleu": 27.5}, signatures={"bleu": "nrefs:1|tok:zh"})
    monkeypatch.setattr("t5mix.runs.evaluate.evaluate_run", lambda *_, **__: {"ende": evaluation})
    assert main(["eval", "runs/a"]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "ende  bleu    27.50       1.0000",
        "ende, bleu: nrefs:1|tok:zh",
    ]


def test_a_run_that_may_not_be_written_to_is_refused_before_any_work(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert main(["eval", "runs/a"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("t5mix: The folder of the answers is runs/a/predictions, and you may not write to ")
    assert error.endswith("runs/a. Copy the run to where you may write, and score the copy.\n")


def test_json_has_all_digits(capsys: pytest.CaptureFixture[str]):
    assert main(["eval", "runs/a", "--split", "test", "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == METRICS
    assert captured.err == "no test split: ende, notes\n"
