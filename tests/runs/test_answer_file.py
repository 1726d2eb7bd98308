"""Files of answers: what an interrupted command leaves, and who may continue it."""

import contextlib
from pathlib import Path
from typing import Any

import pytest

from t5mix import interrupts
from t5mix.errors import T5MixError
from t5mix.runs.answer_file import answer_file

COMMAND = {"inputs": "7 (ab)", "--json": True, "--bank": None}
LINES = [f"größe {number}" for number in range(7)]


class Killed(BaseException):
    """Stands for the end of the process."""


def write(path: Path, upto: int, command: Any = COMMAND, *, error: BaseException | None = None) -> int:
    """Writes the lines up to one, three at once; returns how many were there."""
    with answer_file(path, command, at_once=3) as file:
        there = file.count
        for line in LINES[there:upto]:
            file.write(line)
        if error is not None:
            raise error
    return there


def interrupt(path: Path, upto: int) -> None:
    with contextlib.suppress(Killed):
        write(path, upto, error=Killed())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "answers.txt"


def names(path: Path) -> set[str]:
    return {entry.name for entry in path.parent.iterdir()}


def check_whole(path: Path) -> None:
    assert path.read_text(encoding="utf-8").splitlines() == LINES
    assert names(path) == {"answers.txt"}


def test_the_file_appears_once_it_is_whole(path: Path):
    with answer_file(path, COMMAND, at_once=3) as file:
        for line in LINES:
            file.write(line)
        assert names(path) == {"answers.txt.partial", "answers.txt.partial.json"}
    check_whole(path)
    path.write_text("old")
    assert write(path, 7) == 0  # what is whole is replaced, as by a command that was never interrupted
    check_whole(path)


@pytest.mark.parametrize(("upto", "kept"), [(0, 0), (2, 0), (3, 3), (5, 3), (6, 6), (7, 6)])
def test_the_same_command_continues_after_what_was_made_together(path: Path, upto: int, kept: int):
    interrupt(path, upto)
    assert not path.exists()
    assert write(path, 7) == kept
    check_whole(path)


def test_a_torn_line_is_dropped(path: Path):
    interrupt(path, 6)
    partial = path.with_name("answers.txt.partial")
    whole = partial.read_bytes()
    for cut in range(1, len(LINES[5].encode()) + 2):
        partial.write_bytes(whole[:-cut])
        interrupt(path, 0)
        assert partial.read_bytes().decode("utf-8").splitlines() == LINES[:3]
        partial.write_bytes(whole)
    partial.write_bytes(whole + "größ".encode()[:-1])
    assert write(path, 7) == 6
    check_whole(path)


def test_another_command_is_refused_and_destroys_nothing(path: Path):
    interrupt(path, 4)
    partial = path.with_name("answers.txt.partial")
    before = partial.read_bytes()
    other = {"inputs": "7 (cd)", "--json": True, "--bank": "qa"}
    with pytest.raises(T5MixError) as refused:
        write(path, 7, other)
    assert str(refused.value).splitlines()[1:3] == [
        "  inputs: 7 (ab) there, 7 (cd) here",
        "  --bank: nothing there, qa here",
    ]
    assert "holds 3 answers of another command" in str(refused.value)
    assert f"delete {partial} to start anew" in str(refused.value)
    assert partial.read_bytes() == before
    assert write(path, 7) == 3
    interrupt(path, 4)
    partial.unlink()
    assert write(path, 7, other) == 0


def test_a_part_without_whole_answers_is_anybodys(path: Path):
    interrupt(path, 2)
    assert names(path) == set()
    interrupt(path, 3)
    path.with_name("answers.txt.partial").write_text("a\nb\nc")  # as a kill leaves it
    assert write(path, 7, {"inputs": "7 (cd)"}) == 0
    check_whole(path)


def test_a_file_of_somebody_else_is_left_alone(path: Path):
    path.parent.mkdir()
    partial = path.with_name("answers.txt.partial")
    partial.write_text("mine\n")
    with pytest.raises(T5MixError, match=r"no answers\.txt\.partial\.json that says what wrote it"):
        write(path, 7)
    assert partial.read_text() == "mine\n"


def test_two_processes_do_not_write_one_file(path: Path):
    with answer_file(path, COMMAND, at_once=3) as file:
        file.write(LINES[0])
        with pytest.raises(T5MixError, match=r"Another process is writing .*answers\.txt\.partial"):
            write(path, 7)
        for line in LINES[1:]:
            file.write(line)
    check_whole(path)


def test_nothing_is_left_where_nothing_was_answered(path: Path):
    with pytest.raises(T5MixError, match="no model"):
        write(path, 0, error=T5MixError("no model"))
    assert names(path) == set()


def test_the_last_line_says_how_to_go_on(path: Path):
    advice = f"The same command continues after the 3 answers in {path}.partial."
    with contextlib.suppress(KeyboardInterrupt):
        write(path, 2, error=KeyboardInterrupt())
    assert interrupts.interrupted("t5mix") == "t5mix: interrupted"
    with contextlib.suppress(KeyboardInterrupt):
        write(path, 5, error=KeyboardInterrupt())
    assert interrupts.interrupted("t5mix") == f"t5mix: interrupted. {advice}"
    with contextlib.suppress(KeyboardInterrupt):
        write(path, 3, error=KeyboardInterrupt())  # before anything is added
    assert interrupts.interrupted("t5mix") == f"t5mix: interrupted. {advice}"
    write(path, 7)
    assert interrupts.interrupted("t5mix") == "t5mix: interrupted"
