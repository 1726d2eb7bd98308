"""Imports the user's modules: those that register tasks, mixtures, strategies or policies."""

import contextlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from t5mix.errors import T5MixError

_TASK_LIBRARIES = ("seqio", "tensorflow", "tensorflow_datasets", "t5mix.tensorflow_setup")


def import_plugins(names: Iterable[str], *, without_tensorflow: bool) -> None:
    """Imports modules by name; the working directory is searched too, as with `python -m`.

    Args:
        names: what Python imports the modules as.
        without_tensorflow: whether this process trains, and so must not load TensorFlow. A module that needs it, or
            seqio, registers tasks, and is left to the process that prepares the data, which also reports what is wrong
            with it. Where seqio is loaded already, as in tests, every module is imported.

    Raises:
        T5MixError: a module is not found, or importing it fails.
    """
    names = list(names)
    if names and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    for name in names:
        if without_tensorflow:
            _import_without_tensorflow(name)
        else:
            _import(name)


def _import_without_tensorflow(name: str) -> None:
    with _task_libraries_blocked() as blocker:
        try:
            if package := name.rpartition(".")[0]:
                _import(package, plugin=name)  # looking for a module imports its package, which may have an error
            if not _is_found(name):
                raise T5MixError(
                    f"The plugin {name!r} is not found. plugins lists modules to import, by the name that Python "
                    f"imports them under; the working directory, {os.getcwd()}, is searched too."
                )
            _import(name)
        except T5MixError:
            if not blocker.blocked:
                raise


def _import(name: str, *, plugin: str | None = None) -> None:
    """Imports a module, as a plugin or, where `plugin` names one, for it."""
    plugin = plugin or name
    try:
        importlib.import_module(name)
    except Exception as error:  # whatever a user's module raises is the user's to see, with its name
        missing = isinstance(error, ModuleNotFoundError) and name.startswith(str(error.name))
        advice = (
            f"Is it installed, or in the working directory {os.getcwd()}?"
            if missing
            else f"Importing it alone shows where: python -c 'import {plugin}'."
        )
        raise T5MixError(
            f"The plugin {plugin!r} cannot be imported: {type(error).__name__}: {error}. {advice}"
        ) from error


def _is_found(name: str) -> bool:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.has_location


class _Blocker(MetaPathFinder):
    """Refuses to import the libraries that tasks are made with.

    Python itself takes the modules that fail for it out of `sys.modules` again, those of the libraries and of the user.

    Attributes:
        blocked: whether an import was refused.
    """

    def __init__(self) -> None:
        self.blocked = False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Raises ImportError for a blocked module; leaves the others to the other finders."""
        if fullname in _TASK_LIBRARIES:
            self.blocked = True
            raise ImportError(f"{fullname} is not loaded while a model trains", name=fullname)
        return None


@contextlib.contextmanager
def _task_libraries_blocked() -> Iterator[_Blocker]:
    blocker = _Blocker()
    if "seqio" not in sys.modules:
        sys.meta_path.insert(0, blocker)
    try:
        yield blocker
    finally:
        with contextlib.suppress(ValueError):
            sys.meta_path.remove(blocker)
