"""What identifies the content of a file, for the names of token stores."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from t5mix.errors import T5MixError
from t5mix.files import sha256_of
from t5mix.sources.remote_files import identity_of_url, is_url

HASHED_BYTES = 1 << 30  # larger files count by size and time of change, as hashing them would take minutes


def local_state(path: str) -> tuple[int, int]:
    """Returns the size and the time of change of a local file, in nanoseconds.

    Raises:
        OSError: there is no such file.
    """
    state = Path(path).stat()
    return state.st_size, state.st_mtime_ns


def file_identity(
    path: str | Path, *, hashed: bool = True, state: Callable[[str], tuple[int, int]] = local_state
) -> list[Any]:
    """Returns what identifies a file's content: its hash, or for files over 1 GB and remote ones size and time.

    Args:
        path: the file.
        hashed: False for size and time in any case.
        state: returns the size and the time of change of a file that is not local.

    Raises:
        T5MixError: there is no such file.
    """
    if is_url(path):
        return identity_of_url(str(path))
    local = Path(path)
    if hashed and local.is_file() and (found := local.stat()).st_size < HASHED_BYTES:
        return ["sha256", _content(local, found.st_size, found.st_mtime_ns)]
    try:
        size, changed = state(str(path))
    except OSError as error:
        raise T5MixError(f"There is no file {path} (working directory: {Path.cwd()}).") from error
    return [str(path), size, changed]


@functools.lru_cache(maxsize=1024)
def _content(path: Path, size: int, changed: int) -> str:
    """Returns a file's hash; read once for as long as its size and time of change stay."""
    return sha256_of(path)
