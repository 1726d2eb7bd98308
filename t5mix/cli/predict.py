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
from t5mix.tracking.run_directory import check_exists


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
    with contextlib.ExitStack() as stack:
        if options.task:
            lines: Iterator[str] = task_inputs(run_folder, options.task, options.split, model.tokenizer)
            print(f"The inputs of {options.task}, split {options.split}; --split chooses another one.", file=sys.stderr)
        else:
            lines = iter(stack.enter_context(_reading(options.input)))
        out = stack.enter_context(_writing(options.output))
        answers = predict_lines(model, lines, batch_size=options.batch_size, max_length=options.max_length, task=bank)
        for text, answer in answers:
            line = json.dumps({"input": text, "prediction": answer}, ensure_ascii=False) if options.json else answer
            print(line, file=out, flush=True)
    return 0


@contextlib.contextmanager
def _reading(name: str) -> Iterator[TextIO]:
    if name == "-":
        yield sys.stdin
        return
    with open(name, encoding="utf-8") as file:
        yield file


@contextlib.contextmanager
def _writing(name: str) -> Iterator[TextIO]:
    """Opens the output; a file appears under its name once it is whole."""
    if name == "-":
        yield sys.stdout
        return
    with atomic_write(Path(name)) as file:
        yield file
