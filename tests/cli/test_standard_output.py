"""Output that cannot be written: a reader that goes away, a full disk."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stages import without_stages

SHOW = ["train", "--show", "run_dir=r", "mixture=demo"]
CASES = [(SHOW, ""), (SHOW, "1"), (["--help"], ""), ([], "")]  # whether what is printed is written at once
FULL = Path("/dev/full")


def started(arguments: list[str], stdout: int, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "import sys; from t5mix.cli.main import main; sys.exit(main())", *arguments]
    env = {**os.environ, **environment}
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=120, env=env)


@pytest.fixture
def closed_pipe() -> Iterator[int]:
    read, write = os.pipe()
    os.close(read)
    yield write
    os.close(write)


@pytest.mark.parametrize(("arguments", "unbuffered"), CASES)
def test_a_reader_that_goes_away_is_no_error(arguments: list[str], unbuffered: str, closed_pipe: int):
    done = started(arguments, closed_pipe, PYTHONUNBUFFERED=unbuffered)
    assert (done.returncode, without_stages(done.stderr)) == (141, "")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(("arguments", "unbuffered"), CASES)
def test_a_full_disk_is_one_line(arguments: list[str], unbuffered: str):
    with FULL.open("w") as full:
        done = started(arguments, full.fileno(), PYTHONUNBUFFERED=unbuffered)
    expected = "t5mix: The output could not be written: No space left on device. Make room, and run it again.\n"
    assert (done.returncode, without_stages(done.stderr)) == (2, expected)
