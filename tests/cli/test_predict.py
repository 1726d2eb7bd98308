"""What `t5mix predict` answers, and what it says of it; the model is made up."""

import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from t5mix.cli.main import main
from t5mix.runs.predict import Answer
from tests.support.stages import without_stages

used: dict[str, Any] = {}
"""The settings that were used last."""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run whose model answers in capitals; the inputs of a task are its name and the split's."""

    def predict_lines(model: Any, lines: Iterable[str], **settings: Any) -> Iterator[Answer]:
        used.update(settings)
        yield from (Answer(line, line.upper().replace("|", "\n"), len(line) > 9) for line in lines)

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


def test_lines_are_divided_as_those_of_training(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    raw = "\ufeffa\rb\r\nc\nd|e".encode()
    (run / "in.txt").write_bytes(raw)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw)))
    for source in (["--input", str(run / "in.txt")], []):
        assert main(["predict", str(run), *source, "--json"]) == 0
        records = [json.loads(line) for line in capsys.readouterr().out.split("\n")[:-1]]
        assert [record["input"] for record in records] == ["a\rb", "c", "d|e"]
        assert records[-1]["prediction"] == "D\nE"
    assert main(["predict", str(run), "--input", str(run / "in.txt")]) == 0
    assert capsys.readouterr().out.split("\n") == ["A\rB", "C", "D\\nE", ""]  # an answer is one line


def test_lines_that_are_not_utf8_are_named(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    raw = "a\ngrün\n".encode("latin-1")
    (run / "in.txt").write_bytes(raw)
    assert main(["predict", str(run), "--input", str(run / "in.txt")]) == 2
    assert "in.txt, line 2" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw)))
    assert main(["predict", str(run)]) == 2
    assert "Standard input, line 2: this is not UTF-8" in capsys.readouterr().err


def test_the_lengths_are_those_of_training(run: Path, capsys: pytest.CaptureFixture[str]):
    (run / "in.txt").write_text("short\nlonger than nine\n")
    command = ["predict", str(run), "--input", str(run / "in.txt")]
    assert main(command) == 0
    assert (used["max_length"], used["input_length"]) == (64, None)
    (run / "experiment.json").write_text('{"experiment": {"lengths": {"inputs": 9, "targets": 5}}}')
    capsys.readouterr()
    assert main(command) == 0
    assert (used["max_length"], used["input_length"]) == (5, 9)
    assert "1 of 2 inputs are longer than 9 tokens" in capsys.readouterr().err
    assert main([*command, "--max-length", "7", "--max-input-length", "30"]) == 0
    assert (used["max_length"], used["input_length"]) == (7, 30)


@pytest.mark.parametrize("option", ["--batch-size", "--max-length", "--max-input-length"])
@pytest.mark.parametrize(("value", "said"), [("0", "0 is not 1 or more"), ("many", "'many' is not a whole number")])
def test_numbers_are_checked(option: str, value: str, said: str, run: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="2"):
        main(["predict", str(run), option, value])
    assert f"argument {option}: {said}" in capsys.readouterr().err
