"""Runs a command of `t5mix` as a process of its own and ends it at a moment of one's choice."""

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

_END_SECONDS = 60.0  # for a command that was told to end, and for its processes after it


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        status: its exit status.
        out: what it wrote on its standard output.
        err: what it wrote on its error stream.
        seconds: what it took.
        left: the command lines of processes of its session that did not end with it.
    """

    status: int
    out: str
    err: str
    seconds: float
    left: list[str]


def run_command(
    arguments: Sequence[str], folder: Path, *, after: float | None = None, number: signal.Signals = signal.SIGINT
) -> Ended:
    """Runs a command in a folder, in a session of its own, as a terminal does.

    Args:
        arguments: those of `t5mix`.
        folder: where it runs.
        after: seconds from when it first heeds signals to the signal; None for no signal.
        number: the signal.
    """
    out, err = folder / ".out.txt", folder / ".err.txt"
    started = time.monotonic()
    with open(out, "w") as out_file, open(err, "w") as err_file:
        process = subprocess.Popen(
            [sys.executable, "-m", "t5mix.cli.main", *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out_file,
            stderr=err_file,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            start_new_session=True,
        )
    try:
        if after is not None:
            while process.poll() is None and not _heeds(process.pid, signal.SIGTERM):
                time.sleep(0.002)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(after)
            if process.poll() is None:
                os.killpg(process.pid, number)
        status = process.wait(_END_SECONDS if after is not None else None)
        seconds = time.monotonic() - started
        left = psutil.wait_procs(list(_session(process.pid)), timeout=_END_SECONDS)[1]
        lines = [" ".join(one.cmdline()) for one in left if one.is_running()]
    finally:
        for one in _session(process.pid):
            one.kill()
        process.wait()
    texts = [file.read_text("utf-8", errors="replace") for file in (out, err)]
    for file in (out, err):
        file.unlink()
    return Ended(status, *texts, seconds, lines)


def _heeds(pid: int, number: int) -> bool:
    """Whether a process has a handler for a signal."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return False
    caught = next(line for line in lines if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def _session(leader: int) -> Iterator[psutil.Process]:
    """The processes of a session; its children may have groups of their own."""
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if os.getsid(one.pid) == leader and one.status() != psutil.STATUS_ZOMBIE:
                yield one
