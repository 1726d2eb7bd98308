"""Files of a declared task that are named relative to a folder other than the working directory."""

import glob
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from t5mix.sources.remote_files import is_url


def files_seen_from(named: Any, folder: Path) -> Any:
    """Returns the files of splits, those named with the folder's path that are not here but lie in that folder.

    Args:
        named: the `files` of a declaration as configuration has them, or a part of it.
        folder: where relative names were meant to begin.
    """
    if isinstance(named, Mapping):
        if "dataset" in named:
            return {**named, "dataset": files_seen_from(named["dataset"], folder)}
        return {name: files_seen_from(files, folder) for name, files in named.items()}
    if isinstance(named, list | tuple):
        return [files_seen_from(entry, folder) for entry in named]
    if not isinstance(named, str) or is_url(named) or named.startswith("~") or Path(named).is_absolute():
        return named
    there = str(folder / named)
    return there if not _exists(named) and _exists(there) else named


def _exists(name: str) -> bool:
    return Path(name).exists() or bool(glob.glob(name, recursive=True))
