"""The bytes and lines of a file, compressed or not, here or behind a URL; never all of it at once."""

import bz2
import contextlib
import gzip
import lzma
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from t5mix.errors import T5MixError
from t5mix.sources.file_names import Location, MissingFileError, compression_of
from t5mix.sources.problems import Problems
from t5mix.sources.remote_files import is_url, open_url

LONGEST = 1 << 26
"""Characters or bytes of a line or value; what is longer is no example, and is not to fill the memory."""

_BLOCK = 1 << 18


def check_file(location: Location) -> None:
    """Checks that a local file is there; a remote one is found out when it is read.

    Raises:
        MissingFileError: it is not.
        T5MixError: it is a folder.
    """
    if is_url(location):
        return
    path = Path(location)
    if not path.exists():
        raise MissingFileError(f"There is no file {path} (working directory: {Path.cwd()}).")
    if path.is_dir():
        if any(path.glob("*/dataset_info.json")) or (path / "dataset_info.json").exists():
            part = path if (path / "dataset_info.json").exists() else f"{path}/train"
            raise T5MixError(
                f"{path} is the folder of a data set, where a file is needed. Its files are {part}/*.arrow; those of a "
                f"task may be given as {{dataset: {path}}}."
            )
        raise T5MixError(f"{path} is a folder, where a file is needed. Name its files by a pattern, {path}/*.tsv.")


def blocks(location: Location) -> Iterator[bytes]:
    """Yields the content of a file, decompressed if its name says that it is compressed.

    Raises:
        T5MixError: it is missing, cannot be read, is not what its name says or is cut short, or changes meanwhile.
    """
    try:
        with _opened(location) as file, _explained(location):
            yield from _decompressed(file, compression_of(location), location)
    except OSError as error:
        raise T5MixError(f"{location} cannot be read: {error.strerror or error}.") from error


@contextlib.contextmanager
def seekable(location: Location) -> Iterator[IO[bytes]]:
    """A context with a file in which one can go back and forth; a compressed one lies on the disk meanwhile.

    Raises:
        T5MixError: see `blocks`.
    """
    if not compression_of(location):
        with _opened(location) as file:
            yield file
        return
    with tempfile.TemporaryFile() as file:
        for block in blocks(location):
            file.write(block)
        file.seek(0)
        yield file


def line_blocks(
    location: Location, problems: Problems | None = None, *, keep_returns: bool = False
) -> Iterator[tuple[int, list[str]]]:
    """Yields the lines of a text file, many at a time: the number of the first, from 1, and their texts.

    Lines end with a newline and nothing else; a carriage return before it goes, and a byte order mark at the beginning.

    Args:
        location: the file.
        problems: where lines that are not UTF-8 are noted; an empty line stands for each.
        keep_returns: whether carriage returns stay.

    Raises:
        T5MixError: see `blocks`; a line is not UTF-8 or far too long.
    """
    lines = _Lines(location, Problems() if problems is None else problems, keep_returns)
    pending: list[bytes] = []
    length = 0
    for block in blocks(location):
        head, newline, tail = block.rpartition(b"\n")
        if newline:
            yield lines.decode(b"".join([*pending, head]))
            pending, length = [], 0
        pending.append(tail)
        length += len(tail)
        if length > LONGEST:
            raise T5MixError(
                f"{location}, line {lines.number} is longer than {LONGEST >> 20} MB. Divide it into examples, one a "
                "line."
            )
    if length:
        yield lines.decode(b"".join(pending))


class _Lines:
    """Turns bytes into lines, and knows where in the file they stand."""

    def __init__(self, location: Location, problems: Problems, keep_returns: bool) -> None:
        self.number = 1
        self._offset = 0
        self._location = location
        self._problems = problems
        self._keep_returns = keep_returns

    def decode(self, raw: bytes) -> tuple[int, list[str]]:
        """Returns the number of the first of some whole lines, and their texts."""
        first = self.number
        try:
            lines = raw.decode("utf-8").split("\n")
        except UnicodeDecodeError:
            lines = self._one_by_one(raw)
        if first == 1:
            lines[0] = lines[0].removeprefix("\ufeff")
        if b"\r" in raw and not self._keep_returns:
            lines = [line.rstrip("\r") for line in lines]
        self.number += len(lines)
        self._offset += len(raw) + 1
        return first, lines

    def _one_by_one(self, raw: bytes) -> list[str]:
        texts, offset = [], self._offset
        for number, line in enumerate(raw.split(b"\n"), self.number):
            try:
                texts.append(line.decode("utf-8"))
            except UnicodeDecodeError as error:
                texts.append("")
                wide = offset == 0 and line[:2] in (b"\xff\xfe", b"\xfe\xff")
                self._problems.add(
                    f"{self._location}, line {number}: not UTF-8 (byte 0x{line[error.start]:02x} at offset "
                    f"{offset + error.start} of the file). Convert the file: iconv -f "
                    f"{'utf-16' if wide else 'latin1'} -t utf-8."
                )
            offset += len(line) + 1
        return texts


def _state(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_ino, found.st_size, found.st_mtime_ns


def _state_of(location: Location) -> tuple[int, int, int] | None:
    """Returns what tells whether a file was written to, or another one took its name; None if it is gone."""
    with contextlib.suppress(FileNotFoundError):
        return _state(os.stat(location))
    return None


@contextlib.contextmanager
def _opened(location: Location) -> Iterator[IO[bytes]]:
    """A context with the bytes of a file as they are stored."""
    if is_url(location):
        with open_url(str(location)) as file:
            yield file
        return
    check_file(location)
    with open(location, "rb") as file:
        before = os.fstat(file.fileno())
        yield file
        if stat.S_ISREG(before.st_mode) and _state(before) != _state_of(location):
            raise T5MixError(f"{location} changed while it was read. Start again once it is no longer written to.")


def _decompressed(file: IO[bytes], compression: str, location: Location) -> Iterator[bytes]:
    match compression:
        case ".gz":
            content: Any = gzip.GzipFile(fileobj=file)
        case ".bz2":
            content = bz2.BZ2File(file)
        case ".xz":
            content = lzma.LZMAFile(file)  # noqa: SIM115
        case ".zst":
            yield from _zstd_blocks(file, location)
            return
        case _:
            content = file
    while block := content.read(_BLOCK):
        yield block


def _zstd_blocks(file: IO[bytes], location: Location) -> Iterator[bytes]:
    """Decompresses frame by frame: the package's own reader takes a frame that is cut short for a whole one."""
    try:
        import zstandard
    except ImportError as error:
        raise T5MixError(f"To read {location}, install zstandard: pip install 't5mix[zstd]'.") from error
    frame, raw = None, b""
    while raw := raw or file.read(_BLOCK):
        frame = frame or zstandard.ZstdDecompressor().decompressobj()
        if block := frame.decompress(raw):
            yield block
        raw = frame.unused_data
        if frame.eof:
            frame = None
    if frame is not None:
        raise EOFError


@contextlib.contextmanager
def _explained(location: Location) -> Iterator[None]:
    """A context in which compressed data that are damaged are an error that says so."""
    compression = compression_of(location)
    try:
        yield
    except EOFError as error:
        raise T5MixError(
            f"{location} is cut short: it ends before its {compression} data do. Copy or download it again."
        ) from error
    except Exception as error:
        of_bz2 = isinstance(error, OSError) and error.errno is None  # it has no class of errors of its own
        if not compression or not (
            of_bz2 or type(error).__name__ in ("BadGzipFile", "error", "LZMAError", "ZstdError")
        ):
            raise
        raise T5MixError(
            f"{location} is not {compression} data, or damaged ({error}). Copy it again, or name it after what it "
            "holds."
        ) from error
