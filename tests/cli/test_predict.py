"""What `t5mix predict` answers, and what it says of it; the model is made up."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from t5mix.cli.main import main
from tests.support.stages import without_stages


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run whose model answers in capitals; the inputs of a task are its name and the split's."""

    def predict_lines(model: Any, lines: Iterable[str], **settings: Any) -> Iterator[tuple[str, str]]:
        yield from ((line.rstrip("\n"), line.rstrip("\n").upper()) for line in lines)

    model = SimpleNamespace(tokenizer=None, task_id=lambda task: None)
    monkeypatch.setattr("t5mix.cli.predict.keep_compiled_programs", lambda: None)
    monkeypatch.setattr("t5mix.runs.load.checkpoint_of", lambda run, name: run)
    monkeypatch.setattr("t5mix.runs.load.load_model", lambda *arguments: model)
    monkeypatch.setattr("t5mix.runs.predict.predict_lines", predict_lines)
    monkeypatch.setattr("t5mix.runs.predict.task_inputs", lambda run, task, split, tokenizer: iter([f"{task} {split}"]))
    return tmp_path


def test_a_tasks_inputs_are_of_a_split_that_is_named(run: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["predict", str(run), "--task", "qa"]) == 0
    said = capsys.readouterr()
    assert said.out == "QA TEST\n"
    assert without_stages(said.err, "Loading the model") == (
        "The inputs of qa, split test; --split chooses another one.\n"
    )


def test_lines_are_answered_into_a_file(run: Path, capsys: pytest.CaptureFixture[str]):
    (run / "in.txt").write_text("grün\nb\n", encoding="utf-8")
    assert (
        main(["predict", str(run), "--input", str(run / "in.txt"), "--output", str(run / "o u,t.txt"), "--json"]) == 0
    )
    lines = (run / "o u,t.txt").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"input": "grün", "prediction": "GRÜN"},
        {"input": "b", "prediction": "B"},
    ]
    assert without_stages(capsys.readouterr().err, "Loading the model") == ""
