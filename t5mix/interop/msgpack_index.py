"""Where everything lies in a msgpack file, without reading its arrays: a checkpoint may have many gigabytes of them."""

import struct
from typing import Any, NamedTuple

from t5mix.errors import T5MixError

_NUMBERS = {0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q"}
_NUMBERS |= {0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q"}
_LENGTHS = {0xC4: ">B", 0xC5: ">H", 0xC6: ">I", 0xC7: ">B", 0xC8: ">H", 0xC9: ">I"}
_LENGTHS |= {0xD9: ">B", 0xDA: ">H", 0xDB: ">I", 0xDC: ">H", 0xDD: ">I", 0xDE: ">H", 0xDF: ">I"}


class Bytes(NamedTuple):
    """A string of bytes: where in the file it begins and ends."""

    start: int
    end: int


class Extension(NamedTuple):
    """A value of an application's own type: its code, and where in the file its bytes begin and end."""

    code: int
    start: int
    end: int


def index_msgpack(data: Any, start: int = 0, end: int | None = None) -> Any:
    """Returns the value that lies in some bytes, with a `Bytes` or an `Extension` in place of what is long.

    Args:
        data: bytes, or a file mapped into memory; only what is returned, and what leads to it, is touched.
        start: where the value begins.
        end: where it must end at the latest; None for the end of the data.

    Raises:
        T5MixError: it is not msgpack, or it is cut off.
    """
    try:
        return _Cursor(data, start, len(data) if end is None else end).value()
    except (ValueError, TypeError, struct.error, RecursionError) as error:
        raise T5MixError(f"it is not a msgpack file: {error}") from error


class _Cursor:
    """A place in the data that moves on with what is read from it."""

    def __init__(self, data: Any, at: int, end: int):
        self.data, self.at, self.end = data, at, end

    def skip(self, length: int) -> tuple[int, int]:
        """Moves on by some bytes, and returns where they begin and end."""
        start, self.at = self.at, self.at + length
        if self.at > self.end:
            raise ValueError(f"it is cut off, byte {self.at} is missing")
        return start, self.at

    def number(self, layout: str) -> Any:
        start, end = self.skip(struct.calcsize(layout))
        return struct.unpack(layout, self.data[start:end])[0]

    def text(self, length: int) -> str:
        start, end = self.skip(length)
        return str(self.data[start:end], "utf-8")

    def mapping(self, length: int) -> dict[Any, Any]:
        return {self.value(): self.value() for _ in range(length)}

    def array(self, length: int) -> list[Any]:
        return [self.value() for _ in range(length)]

    def extension(self, length: int) -> Extension:
        code = self.number(">b")
        return Extension(code, *self.skip(length))

    def value(self) -> Any:
        first = self.number(">B")
        if first <= 0x7F or first >= 0xE0:
            return first if first <= 0x7F else first - 0x100
        if first <= 0x8F:
            return self.mapping(first & 0x0F)
        if first <= 0x9F:
            return self.array(first & 0x0F)
        if first <= 0xBF:
            return self.text(first & 0x1F)
        if first in _NUMBERS:
            return self.number(_NUMBERS[first])
        if first in (0xC0, 0xC2, 0xC3):
            return {0xC0: None, 0xC2: False, 0xC3: True}[first]
        if 0xD4 <= first <= 0xD8:
            return self.extension(1 << (first - 0xD4))
        if first not in _LENGTHS:
            raise ValueError(f"byte {self.at - 1} is {first:#x}")
        length = self.number(_LENGTHS[first])
        if first <= 0xC6:
            return Bytes(*self.skip(length))
        if first <= 0xC9:
            return self.extension(length)
        return (self.text if first <= 0xDB else self.array if first <= 0xDD else self.mapping)(length)
