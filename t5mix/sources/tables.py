"""What every reader gives: the rows of one file, with what errors need to say where they stand."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any

from t5mix.errors import T5MixError, nearest
from t5mix.sources.file_names import Location
from t5mix.sources.problems import RowError

Row = Sequence[Any] | Mapping[str, Any]
"""The values of a row: in the order of the columns, or by name."""


@dataclass(frozen=True)
class FileTable:
    """The rows of one file, or of what is read like one.

    Attributes:
        name: the file, as errors call it.
        columns: the names of the columns; None where each row names its own. One without a name is called as pandas
            calls it, "Unnamed: 0" if it is the first.
        rows: the number of each row, as its file counts, and its values.
        unit: what the numbers count: "line" or "row".
        only_text: whether every value is known to be text that UTF-8 can write.
        class_names: the texts of a column's values 0, 1, ..., where the source has them.
        header: where the columns are named, as errors say it; empty for the file as such.
        advice: what to try if a column that is asked for is not there.
    """

    name: str
    columns: tuple[str, ...] | None
    rows: Iterator[tuple[int, Row]]
    unit: str = "line"
    only_text: bool = False
    class_names: Mapping[str, Sequence[str]] = dataclass_field(default_factory=dict)
    header: str = ""
    advice: str = ""

    def location(self, number: int) -> str:
        """Returns where a row stands, as errors say it."""
        return f"{self.name}, {self.unit} {number}"

    @property
    def named_columns(self) -> tuple[str, ...]:
        """The columns that have a name of their own."""
        return tuple(name for name in self.columns or () if not is_unnamed(name))


def unnamed(position: int) -> str:
    """Returns what a column without a name is called, as pandas does it."""
    return f"Unnamed: {position}"


def is_unnamed(column: str) -> bool:
    """Says whether a column has no name of its own."""
    return column.startswith("Unnamed: ")


def check_columns(location: Location, columns: Sequence[str], place: str = ", line 1") -> None:
    """Checks that no two columns have the same name.

    Raises:
        T5MixError: two have.
    """
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise T5MixError(
            f"{location}{place}: the header names {', '.join(twice)} twice. Found: {', '.join(columns)!r}."
        )


def absent(name: str, fields: Sequence[str], advice: str = "") -> str:
    """Returns what to say of a field that a row lacks."""
    near = nearest(name, fields)
    meant = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    return f"there is no field {name!r}. Its fields are {', '.join(fields)}.{meant}{advice}"


def look_up(fields: Mapping[str, Any], name: str) -> Any:
    """Returns the value of a field; dots lead into nested ones, if no field has the whole name.

    Raises:
        RowError: there is no such field.
    """
    if name in fields:
        return fields[name]
    first, *steps = name.split(".")
    if not steps or first not in fields:
        raise RowError(absent(name, [*fields]))
    return inner(fields[first], steps, name)


def inner(value: Any, steps: Sequence[str], name: str) -> Any:
    """Returns what lies within a nested value; of a list of objects, a list of what lies within each.

    Args:
        value: an object, or a list of objects.
        steps: the names that lead there.
        name: all of the field's name, for errors.

    Raises:
        RowError: nothing lies there.
    """
    for position, step in enumerate(steps):
        if isinstance(value, list) and not any(isinstance(entry, list) for entry in value):
            return [inner(entry, steps[position:], name) for entry in value]
        if not isinstance(value, dict):
            raise RowError(f"there is no field {name!r}: {step!r} is looked for in {kind_of(value)}.")
        if step not in value:
            raise RowError(absent(name, [f"{name.removesuffix(step)}{other}" for other in value]))
        value = value[step]
    return value


def as_text(value: Any) -> str:
    """Returns a scalar as the text a model sees: booleans as JSON writes them, numbers as Python does."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def field_text(value: Any, field: str) -> str:
    """Returns a field's value as text.

    Raises:
        RowError: it is none that a text stands for, such as a list, null or NaN, or cannot be written in UTF-8.
    """
    if type(value) is str:
        if not value.isascii():
            _check_characters(value, field)
        return value
    if value is None:
        raise RowError(f"field {field!r} is null. Give it a value or leave the row out.")
    if isinstance(value, float) and not math.isfinite(value):
        raise RowError(f"field {field!r} is {value}, which is no value. Give it one or leave the row out.")
    if isinstance(value, list | tuple | dict | bytes):
        raise RowError(f"field {field!r} holds {kind_of(value)}, where text is needed.")
    text = as_text(value)
    if text in ("NaN", "NaT", "Infinity", "-Infinity"):  # of decimal numbers and of dates
        raise RowError(f"field {field!r} is {text}, which is no value. Give it one or leave the row out.")
    return text


def field_texts(value: Any, field: str) -> list[str]:
    """Returns the texts of a field that holds a list of them, or one text alone.

    Raises:
        RowError: it holds something else.
    """
    in_list = isinstance(value, list | tuple)
    value = value if in_list else [value]
    if any(isinstance(text, list | tuple | dict | bytes) or text is None for text in value):
        wrong = [kind_of(text) for text in value if isinstance(text, list | tuple | dict | bytes) or text is None]
        within = " within a list" if in_list else ""
        raise RowError(f"field {field!r} must hold one text or a list of them, not {wrong[0]}{within}.")
    return [field_text(text, field) for text in value]


def is_wanted(column: str, wanted: Collection[str] | None) -> bool:
    """Says whether a column holds a field that is needed, or one that a needed field lies within; None needs all."""
    return wanted is None or column in wanted or any(field.startswith(f"{column}.") for field in wanted)


def kind_of(value: Any) -> str:
    """Returns what kind of JSON value this is, in words."""
    names = {dict: "an object", list: "a list", tuple: "a list", str: "a text", bool: "a boolean", bytes: "bytes"}
    return "null" if value is None else names.get(type(value), "a number")


def shorten(text: str, width: int = 80) -> str:
    """Returns the beginning of a text, with dots in place of the rest."""
    return text if len(text) <= width else text[: width - 3] + "..."


def _check_characters(text: str, field: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise RowError(
            f"field {field!r} holds half a character, \\u{ord(text[error.start]):04x}, which is not Unicode text "
            "(a text was cut within an emoji, for instance). Mend the text or leave the row out."
        ) from error
