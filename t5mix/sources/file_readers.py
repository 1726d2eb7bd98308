"""Reading files row by row, whatever their format, with errors that name the file and the line.

Each format has a file of its own in this package; this one has what they share for callers that want rows by name.
Needs neither TensorFlow nor seqio.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from t5mix.errors import T5MixError
from t5mix.sources.file_names import Files, Format, Location, format_of
from t5mix.sources.opening import check_file
from t5mix.sources.problems import Problems, RowError
from t5mix.sources.remote_files import is_url
from t5mix.sources.shards import ReadingOptions, Shard, files_of, open_table
from t5mix.sources.tables import as_text, field_text, field_texts, is_unnamed, kind_of, look_up
from t5mix.sources.text_files import Documents, documents_of

__all__ = [
    "Documents",
    "FileRow",
    "Files",
    "Format",
    "as_text",
    "check_file",
    "columns_of",
    "files_of",
    "format_of",
    "read_rows",
    "text_rows",
]

_LARGEST = 1 << 63


@dataclass(frozen=True)
class FileRow:
    """One example as its file has it.

    Attributes:
        path: the file.
        line: the line it starts on, from 1; the row, where files have no lines.
        fields: its values by name.
        unit: what `line` counts.
    """

    path: Shard
    line: int
    fields: Mapping[str, Any]
    unit: str = "line"

    @property
    def location(self) -> str:
        """Where it stands, as error messages say it."""
        return f"{self.path}, {self.unit} {self.line}"

    def value(self, field: str) -> Any:
        """Returns one field's value; dots lead into nested ones.

        Raises:
            T5MixError: the row lacks the field, or has null there.
        """
        try:
            value = look_up(self.fields, field)
        except RowError as error:
            raise T5MixError(f"{self.location}: {error}") from error
        if value is None:
            raise T5MixError(f"{self.location}: field {field!r} is null. Give it a value or leave the row out.")
        return value

    def text(self, field: str) -> str:
        """Returns one field's value as text.

        Raises:
            T5MixError: there is no such field, or it holds a list or an object.
        """
        try:
            return field_text(self.value(field), field)
        except RowError as error:
            raise T5MixError(f"{self.location}: {error}") from error

    def texts(self, field: str) -> list[str]:
        """Returns the texts of a field that holds a list of them, or one text alone.

        Raises:
            T5MixError: there is no such field, or it holds something else.
        """
        try:
            return field_texts(self.value(field), field)
        except RowError as error:
            raise T5MixError(f"{self.location}: {error}") from error

    def check_characters(self, field: str, values: Iterable[Any]) -> None:
        """Checks that texts of a field can be written in UTF-8.

        Raises:
            T5MixError: one cannot.
        """
        try:
            for value in values:
                if isinstance(value, str):
                    field_text(value, field)
        except RowError as error:
            raise T5MixError(f"{self.location}: {error}") from error


def read_rows(
    path: Shard,
    format: Format | None = None,
    *,
    documents: Documents = "lines",
    field: str = "text",
    delimiter: str | None = None,
    quoting: bool | None = None,
    problems: Problems | None = None,
) -> Iterator[FileRow]:
    """Reads a file row by row. Columns without a name are left out.

    Args:
        path: the file, its URL, or what else `t5mix.sources.shards` reads as a whole.
        format: "tsv", "csv", "jsonl", "json", "parquet", "arrow" or "text"; by default what the name says.
        documents: what one row of a text file is (see `text_rows`).
        field: the name that a text file's rows give to their text.
        delimiter: what stands between the values of TSV and CSV files.
        quoting: whether their values may be in quotes.
        problems: where rows that break the format are noted, in place of an error at the first.

    Raises:
        T5MixError: the file is missing, empty, not UTF-8, or breaks its format; the message names the line.
    """
    if isinstance(path, str | Path) and not is_url(path):
        path = Path(path).expanduser()
    options = ReadingOptions(format, documents, field, delimiter, quoting)
    table = open_table(path, options, Problems() if problems is None else problems)
    number = 0
    for number, row in table.rows:
        fields = row
        if table.columns is not None:
            assert isinstance(row, Sequence)
            pairs = zip(table.columns, row, strict=True)
            fields = {name: value for name, value in pairs if not is_unnamed(name)}
        assert isinstance(fields, Mapping)
        yield FileRow(path, number, fields, table.unit)
    if not number:
        raise T5MixError(f"{path} holds no examples.")


def text_rows(
    path: Location,
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
    for number, text in documents_of(path, documents, strip=strip, keep_empty=keep_empty):
        yield FileRow(path, number, {field: text})


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
            value = _plain_value(row, name)
            kind = kinds.setdefault(name, type(value))
            if {kind, type(value)} == {int, float}:
                kinds[name] = kind = float
            elif type(value) is not kind:
                raise T5MixError(
                    f"{row.location}: field {name!r} holds {kind_of(value)}, where the rows before it hold "
                    f"{kind.__name__}."
                )
            column.append(value)
    return {
        name: [float(value) for value in column] if kinds[name] is float else column for name, column in columns.items()
    }


def _plain_value(row: FileRow, name: str) -> Any:
    """Returns a field's value if it is of a kind that columns may hold.

    Raises:
        T5MixError: it is not.
    """
    value = row.value(name)
    if isinstance(value, list | tuple):
        return row.texts(name)
    if isinstance(value, dict):
        raise T5MixError(
            f"{row.location}: field {name!r} holds {kind_of(value)}. Lists of texts, texts and numbers are what a "
            "field may hold."
        )
    if isinstance(value, bool) or (isinstance(value, int) and -_LARGEST <= value < _LARGEST):
        return value
    if isinstance(value, int):
        raise T5MixError(f"{row.location}: field {name!r} is {value}, which does not fit into 64 bits.")
    text = row.text(name)
    return value if isinstance(value, float) else text
