"""`t5mix predict`."""

import argparse
import contextlib
import functools
import itertools
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t5mix.cli.generation_options import generation_config, given_generation
from t5mix.compiled_programs import keep_compiled_programs
from t5mix.console.progress import progress
from t5mix.console.stage import stage
from t5mix.errors import T5MixError
from t5mix.files import atomic_write, check_writable_file, sha256_of_json
from t5mix.interop.hub_models import find_folder
from t5mix.runs.answer_file import answer_file
from t5mix.tracking.run_directory import RunDirectory, check_exists

if TYPE_CHECKING:
    from t5mix.runs.predict import Answer
    from t5mix.sources.input_texts import InputSummary, InputTexts

_MAX_LENGTH = 64  # tokens of an answer, where nothing says how long the targets were


def run(options: argparse.Namespace) -> int:
    """Answers lines, the rows of files, or a task's inputs."""
    _check_combination(options)
    run_folder, named = find_folder(Path(options.run)), options.input or "-"
    inputs = None if options.task or named == "-" else _file_inputs(options)
    check_exists(run_folder)
    if options.output != "-":
        check_writable_file(Path(options.output), "--output")
    summary = None
    if inputs is not None and not _is_stream(named):
        with stage("Reading the inputs"):
            summary = inputs.check()
    keep_compiled_programs()
    with stage("Loading the model"):
        from t5mix.interop.formats import is_foreign
        from t5mix.runs.importing import starting_folder
        from t5mix.runs.load import checkpoint_of, load_tokenizer
        from t5mix.runs.predict import task_inputs

        imported = is_foreign(run_folder)
        checkpoint = starting_folder(run_folder) if imported else checkpoint_of(run_folder, options.checkpoint)
    if options.task:
        inputs = task_inputs(run_folder, options.task, options.split, load_tokenizer(checkpoint))
        print(f"The inputs of {options.task}, split {options.split}; --split chooses another one.", file=sys.stderr)
        summary = inputs.check()
    _answer(options, checkpoint, _standard_input() if inputs is None else inputs, summary)
    return 0


def _answer(
    options: argparse.Namespace, checkpoint: Path, inputs: Iterable[str], summary: "InputSummary | None"
) -> None:
    """Loads the model and writes its answers; those of inputs that can be read again, after what is there of them."""
    from t5mix.runs.load import base_path, load_model
    from t5mix.runs.predict import inputs_at_once, predict_lines

    trained = _trained_lengths(Path(options.run))
    max_length, given = options.max_length or trained.get("targets", _MAX_LENGTH), given_generation(options)
    settings = {
        "batch_size": options.batch_size,
        "max_length": max_length,
        "input_length": options.max_input_length or trained.get("inputs"),
        "task": options.bank or options.task,
    }
    generation = generation_config(given, max_length)
    in_file = options.output != "-"
    command = None
    if in_file and summary is not None:
        with stage("Loading the model"):
            shown = {"json": options.json, "scores": options.scores}
            command = _command(checkpoint, summary, {**settings, **given, **shown})
    with _writing(options.output, command, inputs_at_once(options.batch_size)) as (write, done):
        with stage("Loading the model"):
            model = load_model(checkpoint, base_path(options.base))
        model.task_id(settings["task"])
        left = None if summary is None else summary.count - done
        count = cut = 0
        with progress("Answers" if in_file else None, left) as advance:
            for answer in predict_lines(
                model, itertools.islice(inputs, done, None), generation=generation, first_number=done, **settings
            ):
                write(_line(answer, in_json=options.json, scores=options.scores))
                count, cut = count + 1, cut + answer.cut
                advance(1)
    if cut:
        now = " answered now" if done else ""
        print(
            f"{cut:,} of {count:,} inputs{now} are longer than {settings['input_length']} tokens, as long as those of "
            "training may be, and were cut; --max-input-length N takes longer ones.",
            file=sys.stderr,
        )


def _check_combination(options: argparse.Namespace) -> None:
    """Refuses options that do not go together."""
    if options.task and (options.input or options.inputs):
        raise T5MixError(
            f"--task {options.task} brings its own inputs: leave out --input and --inputs, or leave out --task."
        )
    if options.inputs is not None and options.input in (None, "-"):
        raise T5MixError("--inputs is filled with the fields of files: name them, --input FILE.")
    for name in ("format", "delimiter", "quoting"):
        if getattr(options, name) is not None and options.inputs is None:
            raise T5MixError(f"--{name} is for files with fields: say what to make of these, --inputs TEMPLATE.")
    if (options.num_return_sequences or 1) > 1 and not options.json:
        raise T5MixError("--num-return-sequences adds to the records of --json, as alternatives: give both.")
    if options.scores and not options.json:
        raise T5MixError("--scores adds to the records of --json: give both.")


def _file_inputs(options: argparse.Namespace) -> "InputTexts":
    """Returns the inputs that files hold: their lines, or their fields in a template."""
    from t5mix.sources.file_names import format_of
    from t5mix.sources.input_texts import line_inputs, template_inputs

    if options.inputs is None:
        inputs = line_inputs(options.input)
        if format_of(options.input, default="text") != "text":
            print(
                f'{options.input} is read line by line; --inputs "TEXT {{FIELD}}" reads the fields of its rows.',
                file=sys.stderr,
            )
        return inputs
    delimiter = "\t" if options.delimiter == r"\t" else options.delimiter  # as YAML writes a tab
    return template_inputs(
        options.inputs,
        options.input,
        split=options.split,
        format=options.format,
        delimiter=delimiter,
        quoting=options.quoting,
    )


def _is_stream(named: str) -> bool:
    """Says whether an input, such as a pipe, cannot be read a second time."""
    path = Path(named)
    return path.exists() and not path.is_file() and not path.is_dir()


def _trained_lengths(run: Path) -> dict[str, int]:
    """Returns the lengths of inputs and targets that a run was trained with; nothing for a checkpoint alone."""
    return RunDirectory(run).experiment()["lengths"] if (run / "experiment.json").exists() else {}


def _standard_input() -> Iterator[str]:
    """Yields lines as they come, divided as those of files."""
    for number, raw in enumerate(sys.stdin.buffer, 1):
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise T5MixError(f"Standard input, line {number}: this is not UTF-8.") from error
        yield line.removesuffix("\n").removesuffix("\r")


def _line(answer: "Answer", *, in_json: bool, scores: bool) -> str:
    """Returns the one line that an answer is written as."""
    if not in_json:
        return answer.prediction.replace("\n", "\\n")
    record = {"input": answer.text, **_record(answer, scores)}
    if answer.alternatives:
        record["alternatives"] = [_record(alternative, scores) for alternative in answer.alternatives]
    return json.dumps(record, ensure_ascii=False)


def _record(answer: "Answer", scores: bool) -> dict[str, Any]:
    """Returns an answer without its input."""
    record: dict[str, Any] = {"prediction": answer.prediction}
    if scores:
        record |= {"score": answer.score if math.isfinite(answer.score) else None, "tokens": answer.tokens}
    return record


def _command(checkpoint: Path, summary: "InputSummary", settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns all that decides what the answers are, to the last bit, by the names that the user knows."""
    import jax

    from t5mix import __version__
    from t5mix.checkpoint.integrity import recorded_checksums

    names = {"input_length": "--max-input-length", "task": "--bank"}
    return {
        "checkpoint": f"{checkpoint.name} ({sha256_of_json(recorded_checksums(checkpoint))[:12]})",
        "inputs": f"{summary.count:,} ({summary.sha256[:12]})",
        **{names.get(key, f"--{key.replace('_', '-')}"): value for key, value in settings.items()},
        "t5mix": __version__,
        "jax": jax.__version__,
        "device": jax.devices()[0].device_kind,
    }


@contextlib.contextmanager
def _writing(
    name: str, command: Mapping[str, Any] | None, at_once: int
) -> Iterator[tuple[Callable[[str], object], int]]:
    """Opens the output; a file appears under its name once it is whole.

    Args:
        name: that of a file, or "-".
        command: see `answer_file`; None where the same command would have other inputs.
        at_once: see `answer_file`.

    Yields:
        What writes a line, and how many are there.
    """
    path = Path(name)
    with contextlib.ExitStack() as held:
        if name == "-" or (path.exists() and not path.is_file()):  # such as /dev/null
            file = sys.stdout if name == "-" else held.enter_context(open(path, "w", encoding="utf-8"))
            yield functools.partial(print, file=file, flush=True), 0
        elif command is None:
            yield functools.partial(print, file=held.enter_context(atomic_write(path))), 0
        else:
            answers = held.enter_context(answer_file(path, command, at_once=at_once))
            if answers.count:
                print(f"Continuing after the {answers.count:,} answers that are there.", file=sys.stderr)
            yield answers.write, answers.count
