"""Finding tasks: imports the modules that register them and resolves names."""

import importlib
import os
import pkgutil
import sys
from collections.abc import Iterable, Sequence

from t5mix.errors import T5MixError, UnknownNameError
from t5mix.tensorflow_setup import seqio

BUILT_IN = ("t5mix.tasks", "t5mix.mixtures")
HINT = "`t5mix tasks` lists them."


def load(plugins: Sequence[str] = ()) -> None:
    """Registers the built-in tasks and mixtures, and those of the plugins.

    Args:
        plugins: names of modules that register tasks or mixtures when they are imported; the working
            directory is searched too, as with `python -m`.

    Raises:
        T5MixError: a plugin cannot be imported.
    """
    for package in BUILT_IN:
        folder = importlib.import_module(package).__path__
        for module in pkgutil.iter_modules(folder):
            if not module.name.startswith("_"):
                importlib.import_module(f"{package}.{module.name}")
    if plugins and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    for name in plugins:
        _import_plugin(name)


def _import_plugin(name: str) -> None:
    try:
        importlib.import_module(name)
    except Exception as error:  # whatever a user's module raises is the user's to see, with its name
        missing = isinstance(error, ModuleNotFoundError) and name.startswith(str(error.name))
        advice = (
            f"Is it installed, or in the working directory {os.getcwd()}?"
            if missing
            else "Importing it alone shows where: python -c 'import " + name + "'."
        )
        raise T5MixError(
            f"The plugin {name!r} cannot be imported: {type(error).__name__}: {error}. {advice}"
        ) from error


def names() -> list[str]:
    """Returns the names of all registered tasks and mixtures."""
    return sorted({*seqio.TaskRegistry.names(), *seqio.MixtureRegistry.names()})


def resolve(wanted: Iterable[str]) -> list[seqio.Task]:
    """Returns the tasks that the names stand for, mixtures taken apart, each once, in the order first seen.

    The rates that a mixture was registered with play no part: how a run mixes is the run's choice.

    Raises:
        UnknownNameError: a name is neither a task nor a mixture.
        T5MixError: a mixture contains itself.
    """
    tasks: dict[str, seqio.Task] = {}
    for name in wanted:
        if name in seqio.MixtureRegistry.names():
            members = _members(name)
        elif name in seqio.TaskRegistry.names():
            members = [seqio.TaskRegistry.get(name)]
        else:
            raise UnknownNameError("task or mixture", name, names(), HINT)
        for task in members:
            tasks.setdefault(task.name, task)
    return list(tasks.values())


def _members(mixture: str) -> list[seqio.Task]:
    try:
        return seqio.MixtureRegistry.get(mixture).tasks
    except RecursionError as error:
        raise T5MixError(
            f"The mixture {mixture!r} contains itself, directly or by way of another mixture. Mend its members."
        ) from error
