"""A file of answers that appears under its name once it is whole, and of which an interrupted command leaves a part.

`FILE.partial` holds the answers so far, one a line, and `FILE.partial.json` says what they are the answers to. The same
command continues after them; another one is refused, as they may have taken hours.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from t5mix import interrupts
from t5mix.errors import T5MixError
from t5mix.files import read_json, write_json

_BLOCK = 1 << 20


class AnswerFile:
    """The part of a file that is written.

    Args:
        file: at the end of the answers that are there.
        partial: its path.
        count: how many these are.
        at_once: how many are made together.
    """

    def __init__(self, file: BinaryIO, partial: Path, count: int, at_once: int) -> None:
        self.count = count
        self._file = file
        self._partial = partial
        self._at_once = at_once
        self._advise()

    def write(self, answer: str) -> None:
        """Adds an answer, which is one line."""
        self._file.write(f"{answer}\n".encode())
        self.count += 1
        if self.count % self._at_once == 0:
            self._file.flush()
            self._advise()

    @property
    def kept(self) -> int:
        """How many answers the same command would continue after."""
        return self.count - self.count % self._at_once

    def _advise(self) -> None:
        if self.kept:
            interrupts.advice = f"The same command continues after the {self.kept:,} answers in {self._partial}."


@contextlib.contextmanager
def answer_file(path: Path, command: Mapping[str, Any], *, at_once: int) -> Iterator[AnswerFile]:
    """A context in which to write a file of answers, or the rest of one.

    Args:
        path: the file, which replaces one of that name when the context ends without an error.
        command: all that decides what the answers are, plain data.
        at_once: how many answers are made together. Of a part that is there, whole multiples of it stay: what is left
            is then divided into the same batches.

    Yields:
        What to write to; its `count` says how many answers are there.

    Raises:
        T5MixError: another command left a part, or another process is writing one.
    """
    partial, description = (path.with_name(f"{path.name}.partial{suffix}") for suffix in ("", ".json"))
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(partial, "ab+") as file:
        _lock(file, partial)
        count, end = _kept(file, at_once)
        if file.seek(0, os.SEEK_END):
            _check(partial, description, command, count)
        file.truncate(end)
        answers = AnswerFile(file, partial, count, at_once)
        try:
            write_json(description, command)
            yield answers
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            if not answers.kept:
                partial.unlink(missing_ok=True)
                description.unlink(missing_ok=True)
            raise
        interrupts.advice = ""
        partial.replace(path)
        description.unlink(missing_ok=True)


def _lock(file: BinaryIO, partial: Path) -> None:
    """Makes a file this process's for as long as it is open.

    Raises:
        T5MixError: it is another's, or was until now and has got its final name.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_taken = not partial.exists() or not os.path.samestat(partial.stat(), os.fstat(file.fileno()))
    except BlockingIOError:
        is_taken = True
    if is_taken:
        raise T5MixError(f"Another process is writing {partial}. Wait for it, or end it first.")


def _kept(file: BinaryIO, at_once: int) -> tuple[int, int]:
    """Returns how many answers stay, and where in the file they end: whole lines, a multiple of `at_once`."""
    answers = position = kept = end = 0
    file.seek(0)
    while block := file.read(_BLOCK):
        start = 0
        while start := block.find(b"\n", start) + 1:
            answers += 1
            if answers % at_once == 0:
                kept, end = answers, position + start
        position += len(block)
    return kept, end


def _check(partial: Path, description: Path, command: Mapping[str, Any], answers: int) -> None:
    """Refuses to continue, or to overwrite, what another command left.

    Raises:
        T5MixError: says what differs.
    """
    advice = f"delete {partial} to start anew, or choose another --output."
    if not description.exists():
        raise T5MixError(f"{partial} is there, and no {description.name} that says what wrote it: {advice}")
    there = read_json(description, f"To start anew, delete {partial}.")
    names = [name for name in {**there, **command} if there.get(name) != command.get(name)]
    if names and answers:
        lines = (f"  {name}: {_shown(there.get(name))} there, {_shown(command.get(name))} here" for name in names)
        raise T5MixError(
            "\n".join([f"{partial} holds {answers:,} answers of another command:", *lines])
            + f"\nGive that command again to continue it, {advice}"
        )


def _shown(value: Any) -> str:
    return "nothing" if value is None else str(value)
