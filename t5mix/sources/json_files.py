"""Reading JSON Lines, an object a line, and JSON files, an array of objects or one object after another."""

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any

from t5mix.errors import T5MixError
from t5mix.sources.file_names import Location
from t5mix.sources.opening import LONGEST, blocks, line_blocks
from t5mix.sources.problems import Problems
from t5mix.sources.tables import FileTable, kind_of, shorten

_SPACE = re.compile(r"\s*")
_NEAR_END = 16  # characters: no literal, number's exponent or escape that is cut short is longer


def json_lines_table(location: Location, problems: Problems) -> FileTable:
    """Opens a JSON Lines file; lines that are not objects are noted with `problems`."""
    return FileTable(str(location), None, _json_lines(location, problems))


def json_table(location: Location, problems: Problems) -> FileTable:
    """Opens a JSON file; it is read object by object, so that an array need not fit into memory."""
    return FileTable(str(location), None, _Values(location, problems).objects())


def _json_lines(location: Location, problems: Problems) -> Iterator[tuple[int, dict[str, Any]]]:
    decode = json.JSONDecoder(object_pairs_hook=_object).decode
    for first, lines in line_blocks(location, problems):
        for number, line in enumerate(lines, first):
            if not line or line.isspace():
                continue
            try:
                fields = decode(line)
            except (ValueError, RecursionError) as error:
                array = " If the file is an array, set format: json." if line.lstrip()[0] == "[" else ""
                problems.add(
                    f"{location}, line {number}: not JSON ({_explain(error)}). Found: {shorten(line)!r}.{array}"
                )
                continue
            if type(fields) is dict:
                yield number, fields
            else:
                problems.add(_no_object(location, number, fields, line))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Makes an object of its pairs; raises ValueError if a key is there twice, as one of the values would be lost."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"an object has the key {next(key for key in keys if keys.count(key) > 1)!r} twice")
    return fields


def _no_object(location: Location, number: int, value: Any, text: str) -> str:
    return f"{location}, line {number}: {kind_of(value)}, where an object is needed: {shorten(text)!r}."


def _explain(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}, column {error.colno}"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error).split(";")[0]


class _Values:
    """The objects of a JSON file, from a window of its text that moves on.

    Args:
        location: the file.
        problems: where values that are not objects are noted.
    """

    def __init__(self, location: Location, problems: Problems) -> None:
        self._location = location
        self._problems = problems
        self._texts = self._read()
        self._text = ""
        self._at = 0
        self._line = 1

    def objects(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yields the line that each object begins on, and the object.

        Raises:
            T5MixError: the text breaks JSON's rules; what comes after cannot be read then.
        """
        is_array = self._next() == "["
        self._at += is_array
        first = True
        while True:
            character = self._next()
            if is_array and character == "]":
                self._at += 1
                if self._next():
                    raise self._broken("text after the end of the array")
                return
            if not character:
                if is_array:
                    raise self._broken("the array is not closed; the file is cut short")
                return
            if is_array and not first:
                if character != ",":
                    raise self._broken("',' or ']' expected")
                self._at += 1
                self._next()
            first = False
            line, value, text = self._value()
            if isinstance(value, dict):
                yield line, value
            else:
                self._problems.add(_no_object(self._location, line, value, text))

    def _read(self) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8-sig")()
        lines = 1
        try:
            for block in blocks(self._location):
                text = decoder.decode(block)
                lines += text.count("\n")
                yield text
            yield decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            raise T5MixError(
                f"{self._location}, line {lines + error.object.count(10, 0, error.start)}: not UTF-8 (byte "
                f"0x{error.object[error.start]:02x}). Convert the file: iconv -f latin1 -t utf-8."
            ) from error

    def _fill(self, least: int = 1) -> bool:
        """Adds at least so much text to the window, as far as there is some; drops what was read."""
        parts, length = [self._text[self._at :]], 0
        self._at = 0
        while length < least and (more := next(self._texts, None)) is not None:
            parts.append(more)
            length += len(more)
        self._text = "".join(parts)
        return length > 0

    def _next(self) -> str:
        """Moves to the next character that is not white space and returns it; an empty text at the end."""
        while True:
            end = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]
            self._move(end)
            if end < len(self._text):
                return self._text[end]
            if not self._fill():
                return ""

    def _move(self, end: int) -> None:
        self._line += self._text.count("\n", self._at, end)
        self._at = end

    def _value(self) -> tuple[int, Any, str]:
        """Reads one value and returns the line it begins on, the value, and its text."""
        line, decode = self._line, json.JSONDecoder(object_pairs_hook=_object).raw_decode
        while True:
            try:
                value, end = decode(self._text, self._at)
                if end < len(self._text) or isinstance(value, dict | list) or not self._fill():
                    break
                continue  # a number may go on
            except json.JSONDecodeError as error:
                near_end = error.msg.startswith("Unterminated string") or error.pos >= len(self._text) - _NEAR_END
                length = len(self._text) - self._at
                if length > LONGEST:
                    raise self._broken(f"the value that begins here is longer than {LONGEST >> 20} MB") from error
                position = error.pos - self._at
                if not near_end or not self._fill(length):
                    self._move(self._at + min(position, len(self._text) - self._at))
                    raise self._broken(error.msg) from error
            except (ValueError, RecursionError) as error:
                raise self._broken(_explain(error)) from error
        text = shorten(self._text[self._at : min(end, self._at + 100)])
        self._move(end)
        return line, value, text

    def _broken(self, why: str) -> T5MixError:
        found = shorten(self._text[self._at : self._at + 60])
        return T5MixError(f"{self._location}, line {self._line}: not JSON ({why}). Found: {found!r}.")
