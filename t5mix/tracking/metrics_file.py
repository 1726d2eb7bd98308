"""`metrics.jsonl`: one line for each logging step or evaluation. Written here, and read here."""

import dataclasses
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from t5mix.files import write_text

TRAIN, EVALUATION = "train", "evaluation"
"""The kinds of lines."""


class MetricsFile:
    """A JSON Lines file with one line for each logging step or evaluation.

    Args:
        path: the file. Lines of steps after `first_step` are dropped: a run that was killed after logging them is
            about to take those steps again.
        first_step: the step that the run starts or resumes at.
    """

    def __init__(self, path: Path, first_step: int) -> None:
        kept = [line for line in read_lines(path) if line["step"] <= first_step]
        write_text(path, "".join(json.dumps(line) + "\n" for line in kept))
        self._file: TextIO = open(path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115 - closed by `close`

    def write(self, line: Mapping[str, Any]) -> None:
        """Appends one line."""
        self._file.write(json.dumps(line) + "\n")

    def flush(self) -> None:
        """Brings all lines to the disk; called before each checkpoint, so that none of them is ever missing."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the lines of a metrics file; a last line cut short by a kill is left out."""
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            return


@dataclasses.dataclass(frozen=True)
class MetricLines:
    """The lines of a metrics file by kind, each kind in the order of steps.

    Attributes:
        train: the logging steps (`t5mix.training.metrics_accumulator`).
        evaluation: the evaluations of the validation splits.
    """

    train: list[dict[str, Any]]
    evaluation: list[dict[str, Any]]


def read_metrics(path: Path) -> MetricLines:
    """Reads a metrics file, also while the run writes it; a file that is not there holds no lines."""
    lines = list(read_lines(path))
    return MetricLines(*([line for line in lines if line["kind"] == kind] for kind in (TRAIN, EVALUATION)))


def values_of(lines: Iterable[Mapping[str, Any]], key: str, task: str | None = None) -> list[Any]:
    """Returns what each line says under a key: of the run or, if a task is named, of that task.

    A line that says nothing of a task gives None.
    """
    if task is None:
        return [line[key] for line in lines]
    return [line["tasks"].get(task, {}).get(key) for line in lines]
