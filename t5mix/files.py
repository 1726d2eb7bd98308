"""Room on the disk: asked for before work starts, and an error that says so when it runs out all the same."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from t5mix.errors import T5MixError


def check_room(folder: Path, needed: int) -> None:
    """Refuses to begin writing what does not fit.

    Args:
        folder: where it is to be written.
        needed: bytes.

    Raises:
        T5MixError: the disk has less room than that.
    """
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise T5MixError(
            f"The disk is full: a checkpoint needs {needed / 2**20:,.1f} MiB, and {existing} has "
            f"{free / 2**20:,.1f} MiB free. Make room and start again; a run that has a checkpoint continues from it."
        )


@contextlib.contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """A context that turns the errors of a full disk, Python's and Orbax's, into one that says what to do."""
    try:
        yield
    except (OSError, ValueError) as error:
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        if not full and "No space left" not in str(error):
            raise
        free = shutil.disk_usage(folder).free / 2**20
        raise T5MixError(
            f"The disk is full: {folder} has {free:,.1f} MiB free. Make room and start again; the run continues from "
            "its last complete checkpoint."
        ) from error


def write_json(path: Path, content: Any) -> None:
    """Writes JSON to `path` by way of a temporary file, so that readers see the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(draft, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def read_json(path: Path, advice: str = "") -> Any:
    """Reads a JSON file.

    Args:
        path: the file.
        advice: what to do if it is not JSON, a sentence that ends the error's text.

    Raises:
        T5MixError: it is not JSON.
        FileNotFoundError: it is not there.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise T5MixError(f"{path} is no JSON: {error}. {advice}".rstrip()) from error


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file's content.

    Raises:
        T5MixError: there is no such file.
    """
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (FileNotFoundError, IsADirectoryError) as error:
        raise T5MixError(f"There is no file {path} (working directory: {Path.cwd()}).") from error
