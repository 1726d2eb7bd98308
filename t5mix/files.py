"""Files that are whole or absent, JSON, hashes, and room on the disk."""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import socket
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from t5mix import interrupts
from t5mix.console.units import data_size
from t5mix.errors import T5MixError


def draft_path(path: Path) -> Path:
    """Returns a hidden name beside `path`, a new one at every call, for what is not yet, or no longer, complete."""
    return path.with_name(f".{path.name}-{uuid.uuid4().hex}")


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A context in which to write a file so that readers see the old one or the new one, never half of one.

    Args:
        path: the file; its folder is made if need be.

    Yields:
        The temporary file to write, beside `path`. It is flushed to the disk and takes the name `path` when the
        context ends, and is removed if the context ends with an error.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = draft_path(path)
    interrupts.unfinished.add(draft)
    try:
        yield draft
        with open(draft, "rb") as file:
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        if is_refused_write(error) and error.filename in (None, draft, str(draft)):
            error.filename = str(path)  # the name that the user knows; a full disk gives none
        raise
    finally:
        draft.unlink(missing_ok=True)
        interrupts.unfinished.discard(draft)


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[TextIO]:
    """Like `atomic_path`, with the temporary file opened for UTF-8 text."""
    with atomic_path(path) as draft, open(draft, "w", encoding="utf-8") as file:
        yield file


@contextlib.contextmanager
def atomic_folder(path: Path, last_file: str) -> Iterator[Path]:
    """A context in which to fill a folder that appears under its name once all of it is there.

    Args:
        path: the folder.
        last_file: a file that every complete folder holds. If another process completes the same folder first, that
            one is kept.

    Yields:
        The temporary folder to fill, beside `path`; it is removed if the context ends with an error.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = draft_path(path)
    interrupts.unfinished.add(draft)
    try:
        draft.mkdir()  # unlike tempfile.mkdtemp, with the permissions that a folder shared by several people needs
        yield draft
        try:
            draft.rename(path)
        except OSError:
            if not (path / last_file).exists():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        interrupts.unfinished.discard(draft)


@contextlib.contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """A context with a folder of its own, which is removed however the context or the program ends."""
    with tempfile.TemporaryDirectory(prefix=prefix) as name:
        interrupts.unfinished.add(Path(name))
        try:
            yield Path(name)
        finally:
            interrupts.unfinished.discard(Path(name))


@contextlib.contextmanager
def exclusive_lock(path: Path, refusal: str | None = None) -> Iterator[None]:
    """A context that one process at a time can be in; it ends with the process, however that ends.

    Args:
        path: of a file that all of them know; its folder exists. It says which process is in the context.
        refusal: what the error says where another process is in it; None to wait for that one.

    Raises:
        T5MixError: another process is in it, and it is not to be waited for.
    """
    with open(path, "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if refusal is None else fcntl.LOCK_NB))
        except BlockingIOError as error:
            file.seek(0)
            raise T5MixError(f"{refusal}, by {file.read()}. Wait for it, or end it first.") from error
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield


def write_text(path: Path, text: str) -> None:
    """Writes a UTF-8 text file, all or nothing."""
    with atomic_write(path) as file:
        file.write(text)


def write_json(path: Path, content: Any) -> None:
    """Writes a JSON file, all or nothing."""
    with atomic_write(path) as file:
        json.dump(content, file, indent=1)
        file.write("\n")


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


def read_json_object(path: Path) -> dict[str, Any]:
    """Reads a JSON file that holds an object.

    Raises:
        T5MixError: it is not JSON, or holds something else.
        FileNotFoundError: it is not there.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise T5MixError(f"{path} must hold an object; it holds {type(content).__name__}.")
    return content


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file's content, in hexadecimal.

    Raises:
        T5MixError: there is no such file.
    """
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (FileNotFoundError, IsADirectoryError) as error:
        raise T5MixError(f"There is no file {path} (working directory: {Path.cwd()}).") from error


def sha256_of_text(text: str) -> str:
    """Returns the SHA-256 of a text in UTF-8, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def sha256_of_json(content: Any) -> str:
    """Returns the SHA-256 of JSON-able content, in hexadecimal; the order of keys does not count."""
    return sha256_of_text(json.dumps(content, sort_keys=True))


def free_space(path: Path) -> tuple[Path, int]:
    """Returns the nearest folder that exists at `path` or above it, and the bytes free on its disk."""
    folder = next(candidate for candidate in (path, *path.parents) if candidate.is_dir())
    return folder, shutil.disk_usage(folder).free


def check_room(folder: Path, needed: int) -> None:
    """Refuses to begin writing a checkpoint that does not fit.

    Args:
        folder: where it is to be written.
        needed: bytes.

    Raises:
        T5MixError: the disk has less room than that.
    """
    existing, free = free_space(folder)
    if free < needed:
        raise T5MixError(
            f"The disk is full: a checkpoint needs {data_size(needed)}, and {existing} has "
            f"{data_size(free)} free. Make room and start again; a run that has a checkpoint continues from it."
        )


@contextlib.contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """A context that turns the errors of a full disk, Python's and Orbax's, into one that says what to do."""
    try:
        yield
    except (OSError, ValueError) as error:
        full = isinstance(error, OSError) and is_full(error)
        if not full and "No space left" not in str(error):
            raise
        free = free_space(folder)[1]
        raise T5MixError(
            f"The disk is full: {folder} has {data_size(free)} free. Make room and start again; the run continues from "
            "its last complete checkpoint."
        ) from error


def is_full(error: OSError) -> bool:
    """Says whether a write failed for want of room: on the disk, in a quota, or in the largest file allowed."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def is_refused_write(error: OSError) -> bool:
    """Says whether the user can fix a failed write: there is no room, or writing is not allowed."""
    return is_full(error) or error.errno in (errno.EROFS, errno.EACCES, errno.EPERM)


def check_writable(folder: Path, key: str, advice: str | None = None) -> None:
    """Refuses a folder that could not be made, or not be written to.

    Args:
        folder: the folder.
        key: the setting that names it, for the message.
        advice: what to do, a sentence; None to choose another folder with the setting.

    Raises:
        T5MixError: writing is not allowed there, or a file is in the way; names the folder or the file.
    """
    existing, advice = _nearest(folder), advice or f"Choose another {key}."
    if not existing.is_dir():
        raise T5MixError(f"{key} is {folder}, and {existing} is a file. {advice}")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise T5MixError(f"{key} is {folder}, and you may not write to {existing}. {advice}")


def check_writable_file(file: Path, option: str) -> None:
    """Refuses a file that could not be written; folders on the way to it need not exist.

    Args:
        file: the file, which may exist.
        option: what it was given with, for the message.

    Raises:
        T5MixError: it is a folder, or writing is not allowed there.
    """
    if file.is_dir():
        raise T5MixError(f"{option} {file} is a folder. Give the name of a file, such as {file / 'FILE'}.")
    existing = _nearest(file.absolute().parent)
    if not existing.is_dir():
        raise T5MixError(f"{option} {file}: {existing} is a file. Choose another name.")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise T5MixError(f"{option} {file}: you may not write to {existing}. Choose another folder.")


def _nearest(path: Path) -> Path:
    """Returns the path, or the nearest one above it that exists."""
    return next(candidate for candidate in (path.absolute(), *path.absolute().parents) if candidate.exists())


def expand_home(path: str, key: str) -> Path:
    """Returns a path whose ~ is replaced by the home folder.

    Args:
        path: the path.
        key: the setting that has it, for the message.

    Raises:
        T5MixError: it begins with ~, and there is no home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise T5MixError(
            f"{key} is {path}, and no home folder is known: set HOME, or give a path without ~, {key}=FOLDER."
        ) from error
