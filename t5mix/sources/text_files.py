"""Reading plain text, and parallel text: files whose lines belong together, one to one."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from t5mix.sources.file_names import Location
from t5mix.sources.opening import line_blocks
from t5mix.sources.problems import Problems
from t5mix.sources.tables import FileTable

Documents = Literal["lines", "paragraphs", "articles"]


def lines_of(location: Location, problems: Problems | None = None) -> Iterator[tuple[int, str]]:
    """Yields the number of each line, from 1, and its text without the line end; see `line_blocks`."""
    for first, lines in line_blocks(location, problems):
        yield from enumerate(lines, first)


def text_table(location: Location, problems: Problems, documents: Documents, field: str) -> FileTable:
    """Opens a plain text file, whose only column is `field`; see `documents_of`."""
    rows = ((number, (text,)) for number, text in documents_of(location, documents, problems))
    return FileTable(str(location), (field,), rows, only_text=True)


def documents_of(
    location: Location,
    documents: Documents,
    problems: Problems | None = None,
    *,
    strip: bool = True,
    keep_empty: bool = False,
) -> Iterator[tuple[int, str]]:
    """Yields the line that each document of a text file begins on, and the document.

    Args:
        location: the file.
        documents: what makes one. "lines": each line. "paragraphs": the lines between blank lines, joined by a space.
            "articles": all from one title line in WikiText's style, `= Title =`, to the next, its lines joined by a
            space.
        problems: where lines that are not UTF-8 are noted.
        strip: whether white space at both ends goes.
        keep_empty: whether empty lines count; only with "lines".
    """
    if documents == "lines":
        for number, line in lines_of(location, problems):
            text = line.strip() if strip else line
            if text or keep_empty:
                yield number, text
        return
    start, block = 1, []
    for number, line in lines_of(location, problems):
        text = line.strip()
        ends = _is_title(text) if documents == "articles" else not text
        if ends and block:
            yield start, " ".join(block)
            block = []
        if text:
            start = start if block else number
            block.append(text)
    if block:
        yield start, " ".join(block)


def _is_title(line: str) -> bool:
    return line.startswith("= ") and line.endswith(" =") and not line.startswith("= =")


@dataclass(frozen=True)
class ParallelFiles:
    """Text files whose lines belong together: line 7 of one and line 7 of the other make one row.

    Attributes:
        files: by the name of the field that each line is.
    """

    files: tuple[tuple[str, Location], ...]

    def __str__(self) -> str:
        return " and ".join(str(location) for _, location in self.files)

    def table(self, problems: Problems) -> FileTable:
        """Opens the files. Blank lines count, so that the lines stay together; white space at their ends goes."""
        columns = tuple(name for name, _ in self.files)
        return FileTable(str(self), columns, self._rows(problems), only_text=True)

    def _rows(self, problems: Problems) -> Iterator[tuple[int, Sequence[str]]]:
        sides = [map(_stripped, lines_of(location, problems)) for _, location in self.files]
        number = 0
        for number, texts in enumerate(itertools.zip_longest(*sides), 1):
            if None in texts:
                break
            yield number, texts
        else:
            return
        lines = [number - (text is None) + sum(1 for _ in side) for text, side in zip(texts, sides, strict=True)]
        counts = " and ".join(
            f"{location} has {count} line{'s' * (count != 1)}"
            for (_, location), count in zip(self.files, lines, strict=True)
        )
        problems.add(f"{counts}. The lines of parallel files belong together, one to one: give each file as many.")


def _stripped(line: tuple[int, str]) -> str:
    return line[1].strip()


def parallel_files(fields: Mapping[str, Sequence[Location]]) -> list[ParallelFiles]:
    """Puts the files of each field together: the first of each, the second of each, and so on.

    Raises:
        ValueError: the fields have different numbers of files.
    """
    return [ParallelFiles(tuple(zip(fields, files, strict=True))) for files in zip(*fields.values(), strict=True)]
