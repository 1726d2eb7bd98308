"""Tables of the commands: plain text without borders, for people and for `grep` alike.

In a pipe or a file a table is as wide as it needs to be: one row a line, nothing cut, nothing wrapped. On a terminal it
is fitted to the width, and no name or number is ever broken:

1. columns stand two spaces apart;
2. if that is too wide, headings and the columns named in `wrapped` go on in further lines, broken at spaces;
3. if that is still too wide, columns stand one space apart;
4. then the first column has lines of its own, above the others; equal cells in a row are shown once;
5. if even that is too wide, each row becomes a block: its first cell, and below it the other headings and cells, as
   many in a line as fit.
"""

import sys
import textwrap
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import zip_longest

from rich.cells import cell_len
from rich.console import Console

_TOGETHER = "\N{NO-BREAK SPACE}"  # where no line may be broken; printed as a space
_INDENT = "  "


class TextTable:
    """A table whose first column is text, and the others numbers, aligned to the right.

    Args:
        headings: one for each column; a line break in it is kept.
        text: headings of further columns that hold text.
        wrapped: headings of columns of lists or sentences, which may be broken at spaces (but see `together`).
    """

    def __init__(self, *headings: str, text: Collection[str] = (), wrapped: Collection[str] = ()) -> None:
        self._headings = headings
        self._left = [i == 0 or heading in text or heading in wrapped for i, heading in enumerate(headings)]
        self._wrapped = [heading in wrapped for heading in headings]
        self._rows: list[tuple[str, ...]] = []
        self._rules: set[int] = set()

    def add_row(self, *cells: str) -> None:
        """Adds a row, with a cell for each heading.

        Raises:
            ValueError: there are more cells than headings or fewer.
        """
        if len(cells) != len(self._headings):
            raise ValueError(f"{len(cells)} cells for {len(self._headings)} headings")
        self._rows.append(cells)

    def add_rule(self) -> None:
        """Draws a line between the rows so far and those that follow."""
        self._rules.add(len(self._rows))

    def lines(self, width: int | None) -> list[str]:
        """Returns the lines of the table.

        Args:
            width: of the terminal; None for as wide as the table needs.
        """
        natural, least = self._widths(_longest_line), self._widths(_longest_word)
        if width is None:
            return list(self._grid(natural, gap=2, first=0))
        for first in (0, 1):
            for gap in (2, 1):
                room = width - gap * (len(natural) - first - 1) - len(_INDENT) * first
                widths = _shrunk(natural[first:], least[first:], room)
                if widths is not None:
                    return list(self._grid(widths, gap, first))
        return list(self._blocks(width))

    def _widths(self, of_breakable: Callable[[str], int]) -> list[int]:
        """Returns the width of each column, given that of a text that may be broken."""
        columns = list(zip(*self._rows, strict=True)) or [()] * len(self._headings)
        return [
            max([of_breakable(heading), *map(of_breakable if wrapped else cell_len, cells)])
            for heading, cells, wrapped in zip(self._headings, columns, self._wrapped, strict=True)
        ]

    def _grid(self, widths: Sequence[int], gap: int, first: int) -> Iterator[str]:
        """Yields lines with a column for each width; those before number `first` get lines of their own."""
        indent = _INDENT * first
        rule = indent + (" " * gap).join("-" * width for width in widths)
        headings = [_broken(heading, width) for heading, width in zip(self._headings[first:], widths, strict=True)]
        height = max(map(len, headings), default=0)
        headings = [[""] * (height - len(lines)) + lines for lines in headings]
        yield from self._headings[:first]
        yield from (indent + line for line in self._aligned(headings, widths, gap, first))
        yield rule
        above: tuple[str, ...] = ()
        for number, cells in enumerate(self._rows):
            if number in self._rules:
                yield rule
            if cells[:first] != above:
                above = cells[:first]
                yield from map(_printed, above)
            columns = [
                _broken(cell, width) if wrapped else [cell]
                for cell, width, wrapped in zip(cells[first:], widths, self._wrapped[first:], strict=True)
            ]
            yield from (indent + line for line in self._aligned(columns, widths, gap, first))

    def _aligned(self, columns: Sequence[list[str]], widths: Sequence[int], gap: int, first: int) -> Iterator[str]:
        """Yields the lines of one row, given those of each of its cells from number `first` on."""
        for line in zip_longest(*columns, fillvalue=""):
            padded = []
            for text, width, left in zip(line, widths, self._left[first:], strict=True):
                padding = " " * (width - cell_len(text))
                padded.append(text + padding if left else padding + text)
            yield _printed((" " * gap).join(padded))

    def _blocks(self, width: int) -> Iterator[str]:
        for number, (first, *others) in enumerate(self._rows):
            if number in self._rules:
                yield "-" * width
            yield _printed(first)
            numbers = ""
            for heading, cell, wrapped in zip(self._headings[1:], others, self._wrapped[1:], strict=True):
                *above, last = heading.split("\n")
                pair = " ".join([*above, last, cell.strip()]) if cell else ""
                if wrapped:  # on lines of its own
                    yield from map(_printed, _filled(numbers, width, _INDENT))
                    yield from map(_printed, _filled(pair, width, _INDENT))
                    numbers = ""
                elif pair:
                    if cell_len(_INDENT + pair) > width:
                        pair = " ".join([*above, together(f"{last} {cell.strip()}")])
                    else:
                        pair = together(pair)
                    numbers += ("  " if numbers else "") + pair
            yield from map(_printed, _filled(numbers, width, _INDENT))


def together(text: str) -> str:
    """Returns a text whose spaces are no places to break it at."""
    return text.replace(" ", _TOGETHER)


def print_table(title: str, table: TextTable, *, stderr: bool = False) -> None:
    """Prints a table: fitted to the terminal, or whole where there is none.

    Args:
        title: a line above it; none if empty.
        table: the table.
        stderr: whether to print to standard error.
    """
    stream = sys.stderr if stderr else sys.stdout
    width = Console(file=stream).width if stream.isatty() else None
    stream.write("".join(f"{line}\n" for line in [*([title] if title else []), *table.lines(width)]))


def _longest_line(text: str) -> int:
    return max(map(cell_len, text.split("\n")))


def _longest_word(text: str) -> int:
    return max(map(cell_len, text.replace("\n", " ").split(" ")))


def _broken(text: str, width: int) -> list[str]:
    """Returns the lines of a text, broken at spaces to a width."""
    lines: list[str] = []
    for part in text.split("\n"):
        lines += [part] if cell_len(part) <= width else _filled(part, width)
    return lines


def _filled(text: str, width: int, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        max(width, 1),
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _printed(line: str) -> str:
    return line.replace(_TOGETHER, " ").rstrip()


def _shrunk(natural: Sequence[int], least: Sequence[int], available: int) -> list[int] | None:
    """Returns widths that fit, the widest columns made narrower first; None if there are none."""
    widths = list(natural)
    while sum(widths) > available:
        shrinkable = [i for i in range(len(widths)) if widths[i] > least[i]]
        if not shrinkable:
            return None
        widths[max(shrinkable, key=lambda i: widths[i])] -= 1
    return widths
