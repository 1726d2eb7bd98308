"""All the text of files, whatever their format: what a vocabulary is learnt from."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from t5mix.errors import T5MixError, UnknownNameError
from t5mix.sources.file_names import Files, Format, Location, format_of
from t5mix.sources.file_readers import as_text, files_of, read_rows

_NUMBER = re.compile(r"\s*([-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?)?\s*")  # or nothing


@dataclass(frozen=True)
class FileTexts:
    """The text of one file.

    Attributes:
        path: the file.
        lines: how many of its lines were read; empty ones do not count.
        fields: the fields that the texts are from; empty for plain text.
        left_out: its other fields.
        texts: none of them is blank.
    """

    path: Location
    lines: int
    fields: tuple[str, ...]
    left_out: tuple[str, ...]
    texts: tuple[str, ...]


def read_texts(files: Files, fields: Sequence[str] | None = None, *, format: Format | None = None) -> list[FileTexts]:
    """Reads the text of each file.

    Args:
        files: plain text files, of which every line counts, and files with fields: TSV, CSV, JSON and others. What the
            name of a file does not say is taken for plain text.
        fields: the fields to read; None or none for all that hold text. Fields of numbers, such as labels, ids and
            scores, hold none.
        format: of all files; by default what their names say.

    Raises:
        T5MixError: a file cannot be read or gives no text, or no file has one of the fields.
    """
    columns = [_columns(path, fields, format) for path in files_of(files)]
    if not columns:
        raise T5MixError("Give at least one file to read text from.")
    known = {name for column in columns for name in column.values}
    for name in fields or ():
        if not known:
            raise T5MixError(f"There is no field {name!r}: plain text files have no fields. Leave the fields out.")
        if name not in known:
            raise UnknownNameError("field", name, known, f"The files have the fields {', '.join(sorted(known))}.")
    return [_chosen(column, fields) for column in columns]


@dataclass(frozen=True)
class _Columns:
    """The values of a file by field, or the lines of a plain text file."""

    path: Location
    lines: int
    values: dict[str, list[Any]]
    plain: list[str]


def _columns(path: Location, fields: Sequence[str] | None, format: Format | None) -> _Columns:
    format = format or format_of(path, default="text")  # of train.de too, one side of parallel text
    plain = format == "text"
    values: dict[str, list[Any]] = {}
    lines = 0
    for row in read_rows(path, format):
        lines += 1
        for name, value in row.fields.items():
            entries = value if isinstance(value, list) else [value]
            if not fields or name in fields:
                row.check_characters(name, entries)
            values.setdefault(name, []).extend(entries)
    return _Columns(path, lines, {}, values["text"]) if plain else _Columns(path, lines, values, [])


def _chosen(columns: _Columns, fields: Sequence[str] | None) -> FileTexts:
    if fields:
        chosen = {name: _scalars(values) for name, values in columns.values.items() if name in fields}
    else:
        strings = {name: [v for v in values if isinstance(v, str)] for name, values in columns.values.items()}
        chosen = {name: texts for name, texts in strings.items() if not all(map(_NUMBER.fullmatch, texts))}
    texts = tuple(text for values in (columns.plain, *chosen.values()) for text in values if text.strip())
    left_out = tuple(name for name in columns.values if name not in chosen)
    if not texts:
        in_fields = f" in {', '.join(fields)}" if fields else ""
        its_fields = f" Its fields are {', '.join(columns.values)}." if columns.values else ""
        raise T5MixError(
            f"{columns.path} has no text{in_fields}.{its_fields} Choose among its fields, or leave the file out."
        )
    return FileTexts(columns.path, columns.lines, tuple(chosen), left_out, texts)


def _scalars(values: Sequence[Any]) -> list[str]:
    return [as_text(value) for value in values if isinstance(value, str | int | float)]


def pieces_of(texts: Sequence[str], longest: int) -> Iterator[str]:
    """Yields texts, those with more than `longest` characters in pieces, cut at white space where there is some."""
    for text in texts:
        while len(text) > longest:
            cut = text.rfind(" ", 1, longest) + 1 or longest
            yield text[:cut]
            text = text[cut:]
        yield text
