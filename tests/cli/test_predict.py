"""What `t5mix predict` answers, and what it says of it; the model is made up."""

import io
import itertools
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from t5mix.cli.generation_options import given_generation
from t5mix.cli.main import main
from t5mix.cli.parser import build_parser
from t5mix.decoding import GenerationConfig
from t5mix.runs.predict import Answer
from t5mix.sources.input_texts import InputTexts
from tests.support.stages import without_stages

used: dict[str, Any] = {}
"""The settings that were used last."""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run whose model answers in capitals, two at once; the inputs of a task are its name and the split's."""

    def predict_lines(model: Any, lines: Iterable[str], **settings: Any) -> Iterator[Answer]:
        used.update(settings)
        for line in lines:
            yield Answer(line, line.upper().replace("|", "\n"), len(line) > 9, -len(line) / 4, len(line))

    def task_inputs(run: Path, task: str, split: str, tokenizer: Any) -> InputTexts:
        return InputTexts(lambda problems: iter([f"{task} {split}"]))

    model = SimpleNamespace(tokenizer=None, task_id=lambda task: None)
    monkeypatch.setattr("t5mix.cli.predict.keep_compiled_programs", lambda: None)
    monkeypatch.setattr("t5mix.runs.load.checkpoint_of", lambda run, name: run / "checkpoints" / name)
    monkeypatch.setattr("t5mix.runs.load.load_tokenizer", lambda checkpoint: None)
    monkeypatch.setattr("t5mix.runs.load.load_model", lambda *arguments: model)
    monkeypatch.setattr("t5mix.runs.predict.predict_lines", predict_lines)
    monkeypatch.setattr("t5mix.runs.predict.inputs_at_once", lambda batch_size: 2)
    monkeypatch.setattr("t5mix.runs.predict.task_inputs", task_inputs)
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
    assert re.fullmatch(r"Answers: 2 examples, .*/s\n", without_stages(capsys.readouterr().err, "Loading the model"))


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


def records(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_scores_go_with_the_answers(run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    (run / "in.txt").write_text("abc\n\n")
    command = ["predict", str(run), "--input", str(run / "in.txt"), "--scores"]
    assert main([*command, "--json"]) == 0
    assert records(capsys.readouterr().out) == [
        {"input": "abc", "prediction": "ABC", "score": -0.75, "tokens": 3},
        {"input": "", "prediction": "", "score": 0.0, "tokens": 0},
    ]
    assert main(command) == 2
    assert capsys.readouterr().err == "t5mix: --scores adds to the records of --json: give both.\n"
    answers = [Answer("a", "b", False, float(score), 1) for score in ("nan", "-inf")]
    monkeypatch.setattr("t5mix.runs.predict.predict_lines", lambda *_, **__: iter(answers))
    assert main([*command, "--json"]) == 0
    assert [record["score"] for record in records(capsys.readouterr().out)] == [None, None]


def test_fields_are_filled_into_a_template(run: Path, capsys: pytest.CaptureFixture[str]):
    (run / "in.csv").write_text('n,sentence\n1,"a, b"\n2,"c\nd"\n')
    command = ["predict", str(run), "--inputs", "s: {sentence}", "--input", str(run / "in.csv"), "--json"]
    assert main(command) == 0
    assert [record["input"] for record in records(capsys.readouterr().out)] == ["s: a, b", "s: c\nd"]
    shutil.move(run / "in.csv", run / "in.dat")
    command[command.index(str(run / "in.csv"))] = str(run / "in.dat")
    assert main(command) == 2
    assert "format of" in capsys.readouterr().err
    assert main([*command, "--format", "tsv", "--delimiter", ",", "--quoting"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    (run / "in.dat").write_text("sentence\tn\na\t1\n")
    assert main([*command, "--format", "csv", "--delimiter", r"\t"]) == 0
    assert records(capsys.readouterr().out)[0]["input"] == "s: a"
    assert main([*command, "--format", "text"]) == 2  # which has no such field
    assert "Its fields are text" in capsys.readouterr().err


def test_wrong_fields_are_found_before_the_model_is_loaded(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("t5mix.cli.predict.keep_compiled_programs", lambda: pytest.fail("the model is to be loaded"))
    (run / "in.csv").write_text("n,sentence\n1,a\n")
    assert main(["predict", str(run), "--inputs", "{sentense}", "--input", str(run / "in.csv")]) == 2
    said = capsys.readouterr()
    assert "in.csv, line 1: there is no field 'sentense'. Its fields are n, sentence. Did you mean" in said.err
    (run / "in.jsonl").write_text('{"s": "a"}\n' * 50 + '{"s": null}\n')
    assert main(["predict", str(run), "--inputs", "{s}", "--input", str(run / "in.jsonl")]) == 2
    assert "in.jsonl, line 51: field 's' is null" in capsys.readouterr().err
    assert said.out == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--inputs", "{a}"], "--inputs is filled with the fields of files: name them, --input FILE."),
        (["--inputs", "{a}", "--input", "-"], "--inputs is filled with the fields of files: name them, --input FILE."),
        (["--task", "qa", "--inputs", "{a}", "--input", "a.csv"], "--task qa brings its own inputs: leave out"),
        (["--task", "qa", "--input", "a.txt"], "--task qa brings its own inputs: leave out"),
        (["--input", "a.csv", "--format", "csv"], "--format is for files with fields: say what to make of these"),
        (["--input", "a.csv", "--delimiter", ";"], "--delimiter is for files with fields: say what to make of these"),
        (["--input", "a.csv", "--no-quoting"], "--quoting is for files with fields: say what to make of these"),
        (["--input", "a.txt"], "There is no file a.txt"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    words: list[str], message: str, run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(run)
    assert main(["predict", str(run), *words]) == 2
    assert capsys.readouterr().err.startswith(f"t5mix: {message}")


def test_a_file_with_fields_that_is_read_by_lines_is_pointed_at(run: Path, capsys: pytest.CaptureFixture[str]):
    (run / "in.csv").write_text("n\n1\n")
    assert main(["predict", str(run), "--input", str(run / "in.csv")]) == 0
    said = capsys.readouterr()
    assert said.out == "N\n1\n"
    assert "in.csv is read line by line; --inputs" in said.err


def interrupted_after(count: int, monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    """Runs a command that Ctrl-C interrupts after some answers."""
    from t5mix.runs import predict

    def until(model: Any, lines: Iterable[str], **settings: Any) -> Iterator[Answer]:
        yield from itertools.islice(answers(model, lines, **settings), count)
        raise KeyboardInterrupt(2)

    answers = predict.predict_lines
    with monkeypatch.context() as patch:
        patch.setattr(predict, "predict_lines", until)
        assert main(command) == 130


def test_the_same_command_continues(run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    lines = [f"line {number}" for number in range(7)]
    (run / "in.txt").write_text("\n".join(lines))
    output = run / "out.txt"
    command = ["predict", str(run), "--input", str(run / "in.txt"), "--output", str(output)]
    interrupted_after(5, monkeypatch, command)
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == f"t5mix: interrupted. The same command continues after the 4 answers in {output}.partial."
    assert not output.exists()
    assert main([*command, "--json"]) == 2
    assert "  --json: False there, True here\n" in capsys.readouterr().err
    assert main([*command, "--checkpoint", "5"]) == 2
    assert "  checkpoint: latest (" in capsys.readouterr().err
    (run / "in.txt").rename(run / "moved.txt")  # the texts count, not what their file is called
    command[command.index(str(run / "in.txt"))] = str(run / "moved.txt")
    assert main(command) == 0
    said = capsys.readouterr().err
    assert "Continuing after the 4 answers that are there.\n" in said
    assert "Answers: 3 examples" in said
    assert output.read_text() == "".join(f"{line.upper()}\n" for line in lines)
    assert not list(run.glob("out.txt.*"))


def test_changed_inputs_are_refused(run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    (run / "in.csv").write_text("a,b\n" + "x,y\n" * 5)
    command = ["predict", str(run), "--input", str(run / "in.csv"), "--output", str(run / "out.txt"), "--inputs"]
    interrupted_after(2, monkeypatch, [*command, "{a}"])
    for words in (["{b}"], ["{a}", "--batch-size", "9"]):
        capsys.readouterr()
        assert main([*command, *words]) == 2
        assert "holds 2 answers of another command" in capsys.readouterr().err
    (run / "in.csv").write_text("a,b\n" + "x,y\n" * 4 + "z,y\n")
    assert main([*command, "{a}"]) == 2
    assert re.search(r"  inputs: 5 \(\w+\) there, 5 \(\w+\) here", capsys.readouterr().err)


def test_answers_to_a_tasks_inputs_are_continued(run: Path, monkeypatch: pytest.MonkeyPatch):
    texts = list("abcde")
    monkeypatch.setattr("t5mix.runs.predict.task_inputs", lambda *_: InputTexts(lambda problems: iter(texts)))
    command = ["predict", str(run), "--task", "qa", "--output", str(run / "out.txt")]
    interrupted_after(3, monkeypatch, command)
    assert (run / "out.txt.partial").exists()
    assert main(command) == 0
    assert (run / "out.txt").read_text().splitlines() == list("ABCDE")


def test_what_cannot_be_read_again_is_written_whole_or_not_at_all(run: Path, monkeypatch: pytest.MonkeyPatch):
    command = ["predict", str(run), "--output", str(run / "out.txt")]
    for write in (interrupted_after, lambda *_: main(command)):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a\nb\nc\n")))
        write(3, monkeypatch, command)
        assert not list(run.glob("*out.txt*")) or write is not interrupted_after
    assert (run / "out.txt").read_text() == "A\nB\nC\n"


def test_a_pipe_is_read_once(run: Path, capsys: pytest.CaptureFixture[str]):
    for words in ([], ["--inputs", "{text}", "--format", "text"]):
        reader, writer = os.pipe()
        os.write(writer, b"a\n\nb\n")
        os.close(writer)
        assert main(["predict", str(run), "--input", f"/dev/fd/{reader}", *words]) == 0
        os.close(reader)
        assert capsys.readouterr().out == "A\n\nB\n"


def test_a_device_is_written_to_as_it_is(run: Path):
    (run / "in.txt").write_text("a\n")
    assert main(["predict", str(run), "--input", str(run / "in.txt"), "--output", os.devnull]) == 0
    assert Path(os.devnull).is_char_device()


def test_options_say_how_to_decode(run: Path, capsys: pytest.CaptureFixture[str]):
    (run / "in.txt").write_text("a\n")
    command = ["predict", str(run), "--input", str(run / "in.txt")]
    assert main(command) == 0
    assert used["generation"] == GenerationConfig(max_new_tokens=64)
    assert main([*command, "--num-beams", "4", "--early-stopping", "never", "--length-penalty", "-0.5"]) == 0
    assert used["generation"] == GenerationConfig(
        max_new_tokens=64, num_beams=4, early_stopping="never", length_penalty=-0.5
    )
    assert main([*command, "--num-beams", "2", "--early-stopping", "true", "--no-repeat-ngram-size", "2"]) == 0
    assert used["generation"].early_stopping is True
    assert main([*command, "--do-sample", "--top-p", "0.9", "--seed", "3", "--max-length", "7"]) == 0
    assert used["generation"] == GenerationConfig(max_new_tokens=7, do_sample=True, top_p=0.9, seed=3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--top-k", "5"], "top_k is 5, which only samples heed: set do_sample"),
        (["--num-beams", "2", "--num-return-sequences", "3", "--json"], "num_return_sequences is 3, and num_beams 2"),
        (["--do-sample", "--num-return-sequences", "3"], "--num-return-sequences adds to the records of --json"),
        (["--min-new-tokens", "65"], "min_new_tokens asks for 65 tokens, and max_new_tokens allows 64"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    options: list[str], message: str, run: Path, capsys: pytest.CaptureFixture[str]
):
    (run / "in.txt").write_text("a\n")
    assert main(["predict", str(run), "--input", str(run / "in.txt"), *options]) == 2
    assert message in capsys.readouterr().err


def test_further_answers_are_part_of_the_record(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    other = Answer("a", "B", False, -2.0, 3)
    monkeypatch.setattr(
        "t5mix.runs.predict.predict_lines", lambda *_, **__: iter([Answer("a", "A", False, -1.0, 2, (other,))])
    )
    (run / "in.txt").write_text("a\n")
    command = ["predict", str(run), "--input", str(run / "in.txt"), "--json", "--num-beams", "2"]
    assert main([*command, "--num-return-sequences", "2"]) == 0
    assert main([*command, "--num-return-sequences", "2", "--scores"]) == 0
    plain, scored = records(capsys.readouterr().out)
    assert plain == {"input": "a", "prediction": "A", "alternatives": [{"prediction": "B"}]}
    assert scored["alternatives"] == [{"prediction": "B", "score": -2.0, "tokens": 3}]


def test_what_was_not_given_is_not_part_of_the_command_that_an_answer_file_records():
    given = given_generation(
        build_parser().parse_args(["predict", "run", "--num-beams", "4", "--early-stopping=false"])
    )
    assert given == {"num_beams": 4, "early_stopping": False}
    assert given_generation(build_parser().parse_args(["predict", "run"])) == {}
