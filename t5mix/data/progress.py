"""The progress of long work on the error stream: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")
LINE_SECONDS = 30.0  # between two lines in a log file


class Progress:
    """Counts the examples that pass.

    Args:
        title: what is being done.
        quiet: whether to show nothing.
    """

    def __init__(self, title: str, *, quiet: bool = False) -> None:
        self._title = title
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._started = self._shown = time.monotonic()
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._show(last=True)
        elif self._terminal and not self._quiet:
            sys.stderr.write("\n")

    def count(self, items: Iterable[T]) -> Iterator[T]:
        """Passes the items on and counts them."""
        for item in items:
            yield item
            self._count += 1
            # Looking at the clock for each example would cost more than the example.
            if self._count % 256 == 0:
                now = time.monotonic()
                if now - self._shown >= (0.2 if self._terminal else LINE_SECONDS):
                    self._shown = now
                    self._show()

    def _show(self, *, last: bool = False) -> None:
        if self._quiet:
            return
        seconds = time.monotonic() - self._started
        text = f"{self._title}: {self._count:,} examples, {seconds:.1f} s"
        text += f", {self._count / max(seconds, 1e-9):,.0f}/s"
        if self._terminal:
            text = f"\r\x1b[2K{text}" + ("\n" if last else "")
        else:
            text += "\n"
        sys.stderr.write(text)
        sys.stderr.flush()
