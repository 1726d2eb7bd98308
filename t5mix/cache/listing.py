"""The list of registered tasks and mixtures, kept from the last time that TensorFlow was loaded to make it.

Registering takes seqio, and that takes seconds, so the list is kept in the user's cache, and holds for as long as the
files that registered are as they were. `t5mix.cache.registry_listing` makes it.
"""

import contextlib
import dataclasses
import importlib.metadata
import importlib.util
import os
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from t5mix.errors import T5MixError
from t5mix.files import read_json, sha256_of_json, write_json

BUILT_IN = ("t5mix.tasks", "t5mix.mixtures")
HINT = "`t5mix tasks` lists them."
_PACKAGE = str(Path(__file__).resolve().parents[1])


@dataclasses.dataclass(frozen=True)
class RegisteredTask:
    """One registered task.

    Attributes:
        name: its name.
        splits: its splits; empty where only the network could tell.
        source: what kind of source it reads.
        sizes: raw examples of each split, where the source knows without reading.
        metrics: names of its metrics.
        mixtures: names of the mixtures it belongs to.
    """

    name: str
    splits: tuple[str, ...]
    source: str
    sizes: dict[str, int]
    metrics: tuple[str, ...]
    mixtures: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Listing:
    """All registered tasks, in the order of their names, and the tasks of each registered mixture."""

    tasks: tuple[RegisteredTask, ...]
    mixtures: dict[str, tuple[str, ...]]

    @property
    def names(self) -> frozenset[str]:
        """The names of all tasks and mixtures."""
        return frozenset({*(task.name for task in self.tasks), *self.mixtures})

    @classmethod
    def from_json(cls, raw: Any) -> "Listing":
        """Reads what `dataclasses.asdict` gave and JSON kept."""
        lists = ("splits", "metrics", "mixtures")
        tasks = (RegisteredTask(**{**task, **{name: tuple(task[name]) for name in lists}}) for task in raw["tasks"])
        return cls(tuple(tasks), {name: tuple(members) for name, members in raw["mixtures"].items()})


def may_be_out_of_date() -> bool:
    """Whether tasks may have been registered in this process that no kept list knows of."""
    return "seqio" in sys.modules


def kept_listing(plugins: Sequence[str] = ()) -> Listing | None:
    """Returns the list that was kept for some plug-ins; None if there is none that still holds."""
    with contextlib.suppress(OSError, RuntimeError, T5MixError, ValueError, KeyError, TypeError):
        kept = read_json(_path(plugins))
        if all(_state(file) == state for file, state in kept["files"].items()):
            return Listing.from_json(kept["listing"])
    return None


def keep_listing(listing: Listing, plugins: Sequence[str] = ()) -> None:
    """Keeps a list, made in this process and by the modules alone; where that cannot be, it will be made again."""
    with contextlib.suppress(OSError, RuntimeError, T5MixError):
        files = {file: _state(file) for file in _own_files()}
        write_json(_path(plugins), {"files": files, "listing": dataclasses.asdict(listing)})


def built_in_modules() -> list[str]:
    """Returns the names of the modules that register the built-in tasks and mixtures; loads none of them."""
    folders = {name: spec.submodule_search_locations for name in BUILT_IN if (spec := importlib.util.find_spec(name))}
    return [
        f"{package}.{module.name}"
        for package, folder in folders.items()
        for module in pkgutil.iter_modules(folder)
        if not module.name.startswith("_")
    ]


def _path(plugins: Sequence[str]) -> Path:
    versions = [importlib.metadata.version(name) for name in ("seqio", "tensorflow-datasets")]
    where = [_PACKAGE, *([os.getcwd(), os.environ.get("PYTHONPATH", "")] if plugins else [])]
    key = sha256_of_json([sys.version, versions, where, list(plugins), built_in_modules()])
    return Path("~/.cache/t5mix/tasks").expanduser() / f"{key[:16]}.json"


def _own_files() -> set[str]:
    """Returns the files of all loaded modules that are t5mix's or the user's, and no installed library's."""
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    return {file for file in files if file is not None and (file.startswith(_PACKAGE) or not _is_installed(file))}


def _is_installed(file: str) -> bool:
    return "site-packages" in file or file.startswith(f"{sys.base_prefix}/lib") or not Path(file).is_file()


def _state(file: str) -> list[int]:
    state = Path(file).stat()
    return [state.st_size, state.st_mtime_ns]
