"""Templates of text, and the fields of rows that they are filled with: compiled once for each file."""

import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

from t5mix.errors import T5MixError
from t5mix.sources.tables import FileTable, absent, field_text, inner, look_up

_PART = re.compile(r"(\{\{|\}\}|\{[^{}]*\}|[{}])")

Text = Callable[[Any], str]
"""From a row to a text; raises RowError where the row does not have what it takes."""


def parse_template(template: str) -> list[tuple[bool, str]]:
    """Returns the parts of a template: whether each is a field, and its text or the field's name.

    Doubled braces stand for themselves. A field's name may hold anything but braces: spaces, dots, other marks.

    Raises:
        ValueError: a brace is left open, or a field has no name.
    """
    parts: list[tuple[bool, str]] = []
    for part in _PART.split(template):
        if part in ("{{", "}}"):
            parts.append((False, part[0]))
        elif part in ("{", "}"):
            raise ValueError(f"template {template!r} has a single {part}; write {part * 2} for a brace that is text")
        elif part.startswith("{"):
            if not part[1:-1].strip():
                raise ValueError(
                    f"template {template!r} has a field without a name; write {{name}}, and {{{{ }}}} for braces"
                )
            parts.append((True, part[1:-1]))
        elif part:
            parts.append((False, part))
    return parts


def template_fields(template: str) -> list[str]:
    """Returns the names of the fields in a template, in order; doubled braces stand for themselves.

    Raises:
        ValueError: a brace is left open, or a field has no name.
    """
    return [text for is_field, text in parse_template(template) if is_field]


def compile_template(template: str, table: FileTable) -> Text:
    """Returns the function that fills a template from a row of a table.

    Raises:
        T5MixError: the table lacks one of the fields.
    """
    parts = parse_template(template)
    names = [text for is_field, text in parts if is_field]
    if table.only_text and names:
        pattern = "".join("%s" if is_field else text.replace("%", "%%") for is_field, text in parts)
        values = operator.itemgetter(*(column_of(name, table)[0] for name in names))
        return lambda row: pattern % values(row)
    filled = [field_text_of(text, table) if is_field else text for is_field, text in parts]
    return lambda row: "".join([part if isinstance(part, str) else part(row) for part in filled])


def field_text_of(name: str, table: FileTable) -> Text:
    """Returns the function that gives a field of a row as text.

    Raises:
        T5MixError: the table lacks the field.
    """
    value = value_of(name, table)
    if table.only_text:
        return value
    names = table.class_names.get(name)
    if names is None:
        return lambda row: field_text(value(row), name)

    def class_name(row: Any) -> str:
        number = value(row)
        return names[number] if isinstance(number, int) and 0 <= number < len(names) else field_text(number, name)

    return class_name


def value_of(name: str, table: FileTable) -> Callable[[Any], Any]:
    """Returns the function that gives the value of a field of a row.

    Raises:
        T5MixError: the table lacks the field.
    """
    if table.columns is None:
        return lambda row: look_up(row, name)
    position, steps = column_of(name, table)
    if not steps:
        return operator.itemgetter(position)
    return lambda row: inner(row[position], steps, name)


def column_of(name: str, table: FileTable) -> tuple[int, Sequence[str]]:
    """Returns which column a field is in, and the names that lead from its values to the field's.

    Raises:
        T5MixError: it is in none.
    """
    columns = table.columns or ()
    if name in columns:
        return columns.index(name), ()
    first, *steps = name.split(".")
    if steps and first in columns and not table.only_text:
        return columns.index(first), steps
    raise T5MixError(f"{table.header or table.name}: {absent(name, table.named_columns, table.advice)}")


def has_field(name: str, table: FileTable, row: Any) -> bool:
    """Says whether a row has a field, and a value in it."""
    try:
        return value_of(name, table)(row) is not None
    except T5MixError:  # RowError among them
        return False
