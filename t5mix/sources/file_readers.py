"""Reading TSV, JSON Lines and plain text files, with errors that name the file and the line.

A TSV file has a header line and no quoting. A JSON Lines file holds one object a line, whose values are
strings, numbers, booleans or lists of strings. Needs neither TensorFlow nor seqio.
"""

import glob
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from t5mix.errors import T5MixError, nearest

Format = Literal["tsv", "jsonl", "text"]
Documents = Literal["lines", "paragraphs", "articles"]

_SUFFIXES: Mapping[str, Format] = {
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".txt": "text",
    ".text": "text",
}


@dataclass(frozen=True)
class FileRow:
    """One example as its file has it.

    Attributes:
        path: the file.
        line: the line it starts on, from 1.
        fields: its values by name.
    """

    path: Path
    line: int
    fields: Mapping[str, Any]

    @property
    def location(self) -> str:
        """Where it stands, as error messages say it."""
        return f"{self.path}, line {self.line}"

    def value(self, field: str) -> Any:
        """Returns one field's value.

        Raises:
            T5MixError: the row lacks the field, or has null there.
        """
        if field not in self.fields:
            near = nearest(field, self.fields)
            meant = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
            raise T5MixError(
                f"{self.location}: there is no field {field!r}. Its fields are {', '.join(self.fields)}.{meant}"
            )
        if self.fields[field] is None:
            raise T5MixError(f"{self.location}: field {field!r} is null. Give it a value or leave the row out.")
        return self.fields[field]

    def text(self, field: str) -> str:
        """Returns one field's value as text.

        Raises:
            T5MixError: there is no such field, or it holds a list or an object.
        """
        value = self.value(field)
        if isinstance(value, list | dict):
            raise T5MixError(f"{self.location}: field {field!r} holds {_kind(value)}, where text is needed.")
        return as_text(value)

    def texts(self, field: str) -> list[str]:
        """Returns the texts of a field that holds a list of them, or one text alone.

        Raises:
            T5MixError: there is no such field, it is empty, or it holds something else.
        """
        value = self.value(field)
        texts = value if isinstance(value, list) else [value]
        if not texts or any(isinstance(text, list | dict) or text is None for text in texts):
            raise T5MixError(f"{self.location}: field {field!r} must hold one text or a list of them, not {value!r}.")
        return [as_text(text) for text in texts]


def as_text(value: Any) -> str:
    """Returns a scalar as the text a model sees: booleans as JSON writes them, numbers as Python does."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def format_of(path: Path | str) -> Format:
    """Returns the format that a file's name stands for.

    Raises:
        T5MixError: the name's ending is none that is known.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _SUFFIXES:
        raise T5MixError(
            f"The format of {path} is not clear from its name. "
            f"Name it *{', *'.join(_SUFFIXES)}, or say which with format: tsv, jsonl or text."
        )
    return _SUFFIXES[suffix]


Files = str | Path | Sequence[str | Path]
"""A file, a pattern such as `part-*.txt` for several, or a sequence of both."""


def files_of(named: Files) -> list[Path]:
    """Returns the files that are meant: in the order given, those of a pattern in the order of their names.

    Raises:
        T5MixError: no file matches a pattern. A file that is named and missing is found out when it is read.
    """
    if isinstance(named, str | Path):
        path = Path(named).expanduser()
        if path.exists() or not glob.has_magic(str(path)):
            return [path]
        matches = sorted(glob.glob(str(path), recursive=True))
        if not matches:
            raise T5MixError(f"No file matches {path} (working directory: {Path.cwd()}).")
        return [Path(file) for file in matches]
    return [file for entry in named for file in files_of(entry)]


def read_rows(
    path: Path | str,
    format: Format | None = None,
    *,
    documents: Documents = "lines",
    field: str = "text",
) -> Iterator[FileRow]:
    """Reads a file row by row.

    Args:
        path: the file.
        format: "tsv", "jsonl" or "text"; by default what the name says.
        documents: what one row of a text file is (see `text_rows`).
        field: the name that a text file's rows give to their text.

    Raises:
        T5MixError: the file is missing, empty, not UTF-8, or breaks its format; the message names the line.
    """
    path = Path(path).expanduser()
    format = format or format_of(path)
    if format == "tsv":
        rows = _tsv_rows(path)
    elif format == "jsonl":
        rows = _json_rows(path)
    else:
        rows = text_rows(path, documents=documents, field=field)
    number = 0
    for row in rows:
        number += 1
        yield row
    if not number:
        raise T5MixError(f"{path} holds no examples.")


def text_rows(
    path: Path,
    *,
    documents: Documents = "lines",
    field: str = "text",
    strip: bool = True,
    keep_empty: bool = False,
) -> Iterator[FileRow]:
    """Reads plain text.

    Args:
        path: the file.
        documents: what makes one row. "lines": each line. "paragraphs": the lines between blank lines, joined
            by a space. "articles": all from one title line in WikiText's style, `= Title =`, to the next, its
            lines joined by a space.
        field: the name given to the text.
        strip: whether white space at both ends goes.
        keep_empty: whether empty lines count as rows; only with "lines".
    """
    if documents == "lines":
        for number, line in _lines(path):
            text = line.strip() if strip else line
            if text or keep_empty:
                yield FileRow(path, number, {field: text})
        return
    start, block = 1, []
    for number, line in _lines(path):
        text = line.strip()
        ends = _is_title(text) if documents == "articles" else not text
        if ends and block:
            yield FileRow(path, start, {field: " ".join(block)})
            block = []
        if text:
            start = start if block else number
            block.append(text)
    if block:
        yield FileRow(path, start, {field: " ".join(block)})


def _is_title(line: str) -> bool:
    return line.startswith("= ") and line.endswith(" =") and not line.startswith("= =")


def check_file(path: Path) -> None:
    """Checks that a file is there.

    Raises:
        T5MixError: it is not, or is a folder.
    """
    if not path.exists():
        raise T5MixError(f"There is no file {path} (working directory: {Path.cwd()}).")
    if path.is_dir():
        raise T5MixError(f"{path} is a folder, where a file is needed.")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yields (number from 1, text without its line end); lines end with a newline and nothing else."""
    check_file(path)
    offset = 0
    with open(path, "rb") as file:
        for number, raw in enumerate(file, 1):
            try:
                line = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                raise T5MixError(
                    f"{path}, line {number}: not UTF-8 (byte 0x{raw[error.start]:02x} at offset "
                    f"{offset + error.start} of the file). Convert the file: iconv -f latin1 -t utf-8."
                ) from error
            offset += len(raw)
            yield number, (line.removeprefix("\ufeff") if number == 1 else line).rstrip("\r\n")


def _tsv_rows(path: Path) -> Iterator[FileRow]:
    columns: Sequence[str] | None = None
    for number, line in _lines(path):
        values = line.split("\t")
        if columns is None:
            columns = [name.strip() for name in values]
            _check_header(path, columns)
        elif line or len(columns) == 1:
            if len(values) != len(columns):
                raise T5MixError(
                    f"{path}, line {number}: {len(values)} columns, where the header names {len(columns)} "
                    f"({', '.join(columns)}). Found: {_shorten(line)!r}."
                )
            yield FileRow(path, number, dict(zip(columns, values, strict=True)))


def _check_header(path: Path, columns: Sequence[str]) -> None:
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice or not all(columns):
        problem = f"names {', '.join(twice)} twice" if twice else "has a column without a name"
        raise T5MixError(f"{path}, line 1: the header {problem}. Found: {', '.join(columns)!r}.")


def _json_rows(path: Path) -> Iterator[FileRow]:
    for number, line in _lines(path):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except json.JSONDecodeError as error:
            raise T5MixError(
                f"{path}, line {number}: not JSON ({error.msg}, column {error.colno}). Found: {_shorten(line)!r}."
            ) from error
        if not isinstance(fields, dict):
            raise T5MixError(f"{path}, line {number}: {_kind(fields)}, where an object is needed: {_shorten(line)!r}.")
        yield FileRow(path, number, fields)


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _shorten(text: str, width: int = 80) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."


def columns_of(rows: Iterable[FileRow], fields: Sequence[str] | None = None) -> dict[str, list[Any]]:
    """Turns rows into columns of one kind each: text, whole numbers, numbers, booleans or lists of texts.

    Args:
        rows: what `read_rows` gives.
        fields: the fields to keep, by default those of the first row.

    Raises:
        T5MixError: a row lacks a field, or holds another kind of value there than the rows before it.
    """
    columns: dict[str, list[Any]] = {}
    kinds: dict[str, type] = {}
    for row in rows:
        columns = columns or {name: [] for name in (fields or row.fields)}
        for name, column in columns.items():
            value = row.value(name)
            kind = kinds.setdefault(name, type(value))
            if {kind, type(value)} == {int, float}:
                kinds[name] = kind = float
            elif type(value) is not kind or kind is dict:
                raise T5MixError(
                    f"{row.location}: field {name!r} holds {_kind(value)}"
                    + (". Lists of texts, texts and numbers are what a field may hold." if kind is dict else "")
                    + (f", where the rows before it hold {kind.__name__}." if kind is not dict else "")
                )
            column.append(row.texts(name) if kind is list and value else value)
    return {
        name: [float(value) for value in column] if kinds[name] is float else column for name, column in columns.items()
    }
