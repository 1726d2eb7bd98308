"""What long work is at, on standard error: a spinner on a terminal; elsewhere a line every few seconds."""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import TextIO

SECONDS_A_LINE = 2.0  # on a busy machine some more pass, and three should not
SOON = 0.5
LATER = SECONDS_A_LINE  # of what is mostly short


@contextlib.contextmanager
def stage(label: str | None, stream: TextIO | None = None, *, after: float = SOON) -> Iterator[None]:
    """Shows what is under way while the block runs, and for how long already.

    Args:
        label: "Compiling the first step"; None shows nothing (a host that is not the first, JSON that is piped).
        stream: where to write, by default standard error.
        after: seconds after which a pipe gets the first line, if it still goes on.
    """
    if label is None:
        yield
        return
    with _reopened(sys.stderr if stream is None else stream) as out:
        if out.isatty():
            from rich.console import Console

            with Console(file=out).status(f"{label} ..."):
                yield
        else:
            with _lines(label, out, after):
                yield


@contextlib.contextmanager
def _reopened(stream: TextIO) -> Iterator[TextIO]:
    """Opens a stream's file a second time, if it has one: while TensorFlow loads, its descriptor leads elsewhere."""
    with contextlib.suppress(OSError, ValueError):
        stream.flush()
    try:
        descriptor = os.dup(stream.fileno())
    except (OSError, ValueError):
        yield stream
        return
    again = open(descriptor, "w", encoding=stream.encoding, errors=stream.errors)  # noqa: SIM115 - closed below
    try:
        yield again
    finally:
        with contextlib.suppress(OSError):  # nobody reads it any more
            again.close()


@contextlib.contextmanager
def _lines(label: str, out: TextIO, after: float) -> Iterator[None]:
    done, started = threading.Event(), time.monotonic()

    def repeat() -> None:
        if not done.wait(after):
            _write(out, f"{label} ...\n")
        while not done.wait(SECONDS_A_LINE):
            _write(out, f"{label} ... {time.monotonic() - started:.0f} s\n")

    thread = threading.Thread(target=repeat, name="stage", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _write(out: TextIO, line: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
        out.write(line)
        out.flush()
