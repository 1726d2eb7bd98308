"""Reading TSV and CSV files: a header line, then a row a line. In CSV, values in quotes may hold line ends."""

import csv
import functools
import itertools
import logging
from collections.abc import Iterator, Sequence

from t5mix.sources.file_names import Location
from t5mix.sources.opening import LONGEST, line_blocks
from t5mix.sources.problems import Problems
from t5mix.sources.tables import FileTable, check_columns, shorten, unnamed

log = logging.getLogger(__name__)


def delimited_table(
    location: Location, problems: Problems, *, delimiter: str, quoting: bool, names: Sequence[str] = ()
) -> FileTable:
    """Opens a TSV or CSV file.

    Args:
        location: the file.
        problems: where rows that break the format are noted.
        delimiter: what stands between the values.
        quoting: whether values may be in double quotes, as RFC 4180 has it; if not, quotes are characters like others.
        names: of the columns, where the file has no header line.

    Raises:
        T5MixError: two columns have one name; see also `t5mix.sources.opening.line_blocks`.
    """
    rows = (_quoted_rows if quoting else _plain_rows)(location, problems, delimiter, names)
    if names:
        return FileTable(str(location), tuple(names), rows, only_text=True)
    line, header = next(rows, (1, []))
    columns = tuple(name.strip() or unnamed(position) for position, name in enumerate(header))
    check_columns(location, columns, f", line {line}")
    header_line = f"{location}, line {line}"
    advice = _advice(columns, delimiter) or " If the file has no header line, name its columns: columns: [NAME, NAME]."
    return FileTable(str(location), columns, rows, only_text=True, header=header_line, advice=advice)


def _advice(columns: Sequence[str], delimiter: str) -> str:
    """Returns what to set if the header seems to be divided by another character."""
    others = [other for other in "\t;,|" if len(columns) == 1 and other in columns[0]]
    if not others:
        return ""
    settings = {"\t": "format: tsv", ",": "format: csv"}.get(others[0], f"format: csv and delimiter: {others[0]!r}")
    return f" The header is not divided by {delimiter!r}; if it is by {others[0]!r}, set {settings}."


def _plain_rows(
    location: Location, problems: Problems, delimiter: str, names: Sequence[str]
) -> Iterator[tuple[int, list[str]]]:
    """Yields the header, if it does not have these names, then the rows."""
    header, said = [*names], _namer(names)
    width = len(header)
    unquoted = True  # no value in quotes has been seen
    for first, lines in line_blocks(location, problems):
        for number, line in enumerate(lines, first):
            values = line.split(delimiter)
            if len(values) != width:
                if not line.strip():
                    continue
                if width:
                    problems.add(_wrong_width(location, number, values, header, line, delimiter, said))
                    continue
                header, width = values, len(values)
            elif unquoted and '"' in line and _in_quotes(values):
                unquoted = False
                _warn_of_quotes(str(location), number)
            yield number, values


def _namer(names: Sequence[str]) -> str:
    """Returns what is said to name the columns."""
    return "the setting columns names" if names else "the header names"


def _in_quotes(values: list[str]) -> bool:
    return any(len(value) > 1 and value[0] == '"' == value[-1] for value in values)


@functools.cache
def _warn_of_quotes(location: str, number: int) -> None:
    log.warning(
        "%s, line %d: a value is in quotes, which are read as part of the text. If they are to be read as CSV does, "
        "set quoting: true.",
        location,
        number,
    )


def _wrong_width(
    location: Location, number: int, values: list[str], header: list[str], line: str, delimiter: str, said: str
) -> str:
    return (
        f"{location}, line {number}: {len(values)} column{'s' * (len(values) != 1)}, where {said} "
        f"{len(header)} ({', '.join(map(str.strip, header))}). Found: {shorten(line)!r}.{_advice(header, delimiter)}"
    )


def _quoted_rows(
    location: Location, problems: Problems, delimiter: str, names: Sequence[str]
) -> Iterator[tuple[int, list[str]]]:
    """Yields the header, if it does not have these names, then the rows, and the line that each begins on."""
    csv.field_size_limit(LONGEST)  # of all readers in this process; the default is less than an article
    lines = itertools.chain.from_iterable(texts for _, texts in line_blocks(location, problems, keep_returns=True))
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter, strict=True)
    header, said = [*names], _namer(names)
    while True:
        number = reader.line_num + 1
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problems.add(f"{location}, line {number}: {_explain(str(error), delimiter)}{_advice(header, delimiter)}")
            continue
        if len(values) != len(header):
            if not any(values) and len(values) < 2:
                continue
            if header:
                problems.add(_wrong_width(location, number, values, header, delimiter.join(values), delimiter, said))
                continue
            header = values
        yield number, values


def _explain(error: str, delimiter: str) -> str:
    if "expected after" in error:
        return (
            f"after a closing quote there is something else than {delimiter!r}. Double the quotes within a value in "
            'quotes (""), or set quoting: false if they are characters like others.'
        )
    if "unexpected end" in error or "field limit" in error:
        return "a quote that opens a value here is never closed. Close it, or set quoting: false."
    return f"not CSV: {error}. A value that holds line ends must be in quotes."
