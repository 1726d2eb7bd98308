"""What the names of files say: format and compression, patterns for several files, URLs."""

import glob
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from t5mix.errors import T5MixError
from t5mix.sources.remote_files import is_url, matching_urls

Format = Literal["tsv", "csv", "jsonl", "json", "parquet", "arrow", "text"]

Location = Path | str
"""A local file, or the URL of a remote one."""

Files = str | Path | Sequence[str | Path]
"""A file, a URL, a pattern such as `part-*.txt` for several, or a sequence of these."""

COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst")


class MissingFileError(T5MixError):
    """A file is not where it is looked for."""


_FORMATS: Mapping[str, Format] = {
    ".tsv": "tsv",
    ".tab": "tsv",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".txt": "text",
    ".text": "text",
}


def compression_of(location: Location) -> str:
    """Returns the ending that names a file's compression; empty for none."""
    suffix = _suffix(str(location))
    return suffix if suffix in COMPRESSIONS else ""


def format_of(location: Location, default: Format | None = None) -> Format:
    """Returns the format that a file's name stands for; the ending of a compression may follow that of the format.

    Args:
        location: the file.
        default: what names that do not say stand for.

    Raises:
        T5MixError: the name does not say, and there is no default.
    """
    name = str(location)
    suffix = _suffix(name[: -len(compression_of(name))] if compression_of(name) else name)
    if suffix in _FORMATS:
        return _FORMATS[suffix]
    if default is not None:
        return default
    raise T5MixError(
        f"The format of {location} is not clear from its name. Name it *{', *'.join(_FORMATS)}, followed by "
        f"{', '.join(COMPRESSIONS)} if it is compressed, or say which with format: tsv, csv, jsonl, json, parquet, "
        "arrow or text."
    )


def _suffix(name: str) -> str:
    path = re.split("::|[?#]", name)[0] if is_url(name) else name  # a URL may go on after its path
    return Path(path).suffix.lower()


def matching_files(named: Files) -> list[Location]:
    """Returns the files that are meant: in the order given, those of a pattern in the order of their names.

    Raises:
        MissingFileError: no file matches a pattern. A file that is named and missing is found out when it is read.
    """
    if not isinstance(named, str | Path):
        return [file for entry in named for file in matching_files(entry)]
    if is_url(named):
        return [*matching_urls(str(named))]
    path = Path(named).expanduser()
    if not glob.has_magic(str(path)) or path.exists():
        return [path]
    matches = sorted(glob.glob(str(path), recursive=True))
    if not matches:
        raise MissingFileError(f"No file matches {path} (working directory: {Path.cwd()}).")
    return [Path(file) for file in matches]
