"""The registered tasks and mixtures: imports the modules that register them, and resolves names."""

import importlib
from collections.abc import Iterable, Sequence

from t5mix.cache.listing import HINT, built_in_modules
from t5mix.errors import T5MixError, UnknownNameError
from t5mix.plugins import import_plugins
from t5mix.tensorflow_setup import seqio


def load(plugins: Sequence[str] = ()) -> None:
    """Registers the built-in tasks and mixtures, and those of the plugins.

    Args:
        plugins: names of modules that register tasks or mixtures when they are imported; the working
            directory is searched too, as with `python -m`.

    Raises:
        T5MixError: a plugin cannot be imported.
    """
    for module in built_in_modules():
        importlib.import_module(module)
    import_plugins(plugins, without_tensorflow=False)


def names() -> list[str]:
    """Returns the names of all registered tasks and mixtures."""
    return sorted({*seqio.TaskRegistry.names(), *seqio.MixtureRegistry.names()})


def resolve(requested: Iterable[str]) -> list[seqio.Task]:
    """Returns the tasks that the names stand for, mixtures replaced by their tasks, each once, in the order first seen.

    The rates that a mixture was registered with play no part: how a run mixes is the run's choice.

    Raises:
        UnknownNameError: a name is neither a task nor a mixture.
        T5MixError: a mixture contains itself.
    """
    tasks: dict[str, seqio.Task] = {}
    for name in requested:
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
