"""`t5mix predict`."""

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from t5mix.compiled_programs import keep_compiled_programs
from t5mix.console.stage import stage
from t5mix.errors import T5MixError
from t5mix.files import atomic_write, check_writable_file
from t5mix.tracking.run_directory import RunDirectory, check_exists

_MAX_LENGTH = 64  # tokens of an answer, where nothing says how long the targets were


def run(options: argparse.Namespace) -> int:
    """Answers lines, or a task's inputs."""
    run_folder = Path(options.run)
    if options.input != "-" and not Path(options.input).is_file():
        raise T5MixError(f"The input file {options.input} is missing.")
    check_exists(run_folder)
    if options.output != "-":
        check_writable_file(Path(options.output), "--output")
    keep_compiled_programs()
    with stage("Loading the model"):
        from t5mix.runs.load import base_path, checkpoint_of, load_model
        from t5mix.runs.predict import predict_lines, task_inputs

        model = load_model(checkpoint_of(run_folder, options.checkpoint), base_path(options.base))
    bank = options.bank or options.task
    model.task_id(bank)
    trained = _trained_lengths(run_folder)
    settings = {
        "max_length": options.max_length or trained.get("targets", _MAX_LENGTH),
        "input_length": options.max_input_length or trained.get("inputs"),
    }
    with contextlib.ExitStack() as stack:
        if options.task:
            lines = task_inputs(run_folder, options.task, options.split, model.tokenizer)
            print(f"The inputs of {options.task}, split {options.split}; --split chooses another one.", file=sys.stderr)
        else:
            lines = _standard_input() if options.input == "-" else _lines(Path(options.input))
        out = stack.enter_context(_writing(options.output))
        inputs = cut = 0
        for answer in predict_lines(model, lines, batch_size=options.batch_size, task=bank, **settings):
            inputs, cut = inputs + 1, cut + answer.cut
            record = {"input": answer.text, "prediction": answer.prediction}
            line = json.dumps(record, ensure_ascii=False) if options.json else answer.prediction.replace("\n", "\\n")
            print(line, file=out, flush=True)
    if cut:
        print(
            f"{cut:,} of {inputs:,} inputs are longer than {settings['input_length']} tokens, as long as those of "
            "training may be, and were cut; --max-input-length N takes longer ones.",
            file=sys.stderr,
        )
    return 0


def _trained_lengths(run: Path) -> dict[str, int]:
    """Returns the lengths of inputs and targets that a run was trained with; nothing for a checkpoint alone."""
    return RunDirectory(run).experiment()["lengths"] if (run / "experiment.json").exists() else {}


def _lines(path: Path) -> Iterator[str]:
    """Yields the lines of a file, divided as those of training."""
    from t5mix.sources.text_files import lines_of

    return (line for _, line in lines_of(path))


def _standard_input() -> Iterator[str]:
    """Yields lines as they come, divided as those of files."""
    for number, raw in enumerate(sys.stdin.buffer, 1):
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise T5MixError(f"Standard input, line {number}: this is not UTF-8.") from error
        yield line.removesuffix("\n").removesuffix("\r")


@contextlib.contextmanager
def _writing(name: str) -> Iterator[TextIO]:
    """Opens the output; a file appears under its name once it is whole."""
    if name == "-":
        yield sys.stdout
        return
    with atomic_write(Path(name)) as file:
        yield file
