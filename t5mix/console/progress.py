"""How far long work has come: a bar on a terminal, a line every few seconds elsewhere. All on standard error."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TextIO

from t5mix.console import units
from t5mix.console.stage import SECONDS_A_LINE

Advance = Callable[[int], None]


@contextlib.contextmanager
def progress(
    label: str | None, total: int | None, stream: TextIO | None = None, *, brief: bool = False
) -> Iterator[Advance]:
    """Shows progress while the block runs; the block calls the yielded function with each number of examples.

    Args:
        label: what is under way; None shows nothing (a host that is not the first, a test).
        total: number of examples in all; None where only the end will tell.
        stream: where to write, by default standard error.
        brief: whether lines, where there is no bar, are only for work that takes longer than the time between two.
    """
    out: TextIO = sys.stderr if stream is None else stream
    if label is None:
        yield lambda count: None
    elif out.isatty():
        with _bar(label, total, out) as advance:
            yield advance
    else:
        with _lines(label, total, out, brief=brief) as advance:
            yield advance


@contextlib.contextmanager
def _bar(label: str, total: int | None, stream: TextIO) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(file=stream)) as shown:
        task = shown.add_task(label, total=total)
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            shown.update(task, completed=done)

        yield advance
        shown.update(task, completed=done, total=done)


@contextlib.contextmanager
def _lines(label: str, total: int | None, stream: TextIO, *, brief: bool) -> Iterator[Advance]:
    start = time.monotonic()
    done = 0

    def line() -> None:
        rate = done / max(time.monotonic() - start, 1e-9)
        of_all = f"{done:,}" if total is None or done == total else f"{done:,}/{total:,}"
        left = f", {units.clock((total - done) / rate)} left" if total is not None and 0 < done < total else ""
        stream.write(f"{label}: {of_all} examples, {rate:,.0f}/s{left}\n")
        stream.flush()

    def advance(count: int) -> None:
        nonlocal done
        done += count

    def repeat() -> None:  # also while nothing advances, as when the first batch is compiled
        with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
            while not ended.wait(SECONDS_A_LINE):
                line()

    ended = threading.Event()
    thread = threading.Thread(target=repeat, name="progress", daemon=True)
    thread.start()
    try:
        yield advance
    finally:
        ended.set()
        thread.join()
    if not brief:
        line()
