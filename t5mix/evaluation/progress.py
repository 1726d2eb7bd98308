"""How far a pass over many examples has come: a bar on a terminal, a line every few seconds elsewhere."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TextIO

Advance = Callable[[int], None]
_SECONDS_A_LINE = 10.0


@contextlib.contextmanager
def progress(label: str | None, total: int, stream: TextIO | None = None) -> Iterator[Advance]:
    """Shows progress while the block runs; the block calls the yielded function with each number of examples.

    Args:
        label: what is under way; None shows nothing (a host that is not the first, a test).
        total: number of examples in all.
        stream: where to write, by default standard error.
    """
    out: TextIO = sys.stderr if stream is None else stream
    if label is None:
        yield lambda count: None
    elif out.isatty():
        with _bar(label, total, out) as advance:
            yield advance
    else:
        yield _lines(label, total, out)


@contextlib.contextmanager
def _bar(label: str, total: int, stream: TextIO) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=stream)) as shown:
        task = shown.add_task(label, total=total)
        yield lambda count: shown.advance(task, count)


def _lines(label: str, total: int, stream: TextIO) -> Advance:
    start = last = time.monotonic()
    done = 0

    def advance(count: int) -> None:
        nonlocal done, last
        done += count
        now = time.monotonic()
        if now - last < _SECONDS_A_LINE and done < total:
            return
        last = now
        rate = done / max(now - start, 1e-9)
        left = f", {(total - done) / rate:.0f} s left" if done < total else ""
        stream.write(f"{label}: {done}/{total} examples, {rate:.1f}/s{left}\n")
        stream.flush()

    return advance
