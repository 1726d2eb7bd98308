"""The tasks of a request that are registered with seqio. Loads TensorFlow."""

import dataclasses
from collections.abc import Collection, Sequence

from t5mix.cache import task_registry
from t5mix.cache.listing import HINT
from t5mix.cache.run_task import RunTask
from t5mix.cache.seqio_task import SeqioTask
from t5mix.cache.seqio_vocabularies import seqio_vocabulary, with_vocabulary
from t5mix.data.manifest import VocabularyEntry
from t5mix.errors import T5MixError, UnknownNameError
from t5mix.tensorflow_setup import seqio


@dataclasses.dataclass(frozen=True)
class RegisteredTasks:
    """What was found.

    Attributes:
        members: the tasks that each requested name stands for.
        tasks: the names of all registered tasks.
    """

    members: dict[str, list[RunTask]]
    tasks: frozenset[str]


def load_registered(
    requested: Sequence[str],
    declared: Collection[str],
    plugins: Sequence[str] = (),
    vocabulary: VocabularyEntry | None = None,
) -> RegisteredTasks:
    """Registers all tasks and finds those that are requested.

    Args:
        requested: names of tasks and mixtures.
        declared: those that are declared in configuration, and not looked for here.
        plugins: modules that register further tasks and mixtures.
        vocabulary: what they are tokenised with; None for their own.

    Raises:
        UnknownNameError: a name is neither registered nor declared.
        T5MixError: a plugin cannot be imported, or a name is both registered and declared.
    """
    task_registry.load(plugins)
    names = set(task_registry.names())
    for name in declared:
        if name in names:
            raise T5MixError(f"The declared task {name!r} has the name of a registered one; choose another name.")
    override = None if vocabulary is None else seqio_vocabulary(vocabulary)
    members: dict[str, list[RunTask]] = {}
    for name in requested:
        if name in declared:
            continue
        if name not in names:
            raise UnknownNameError("task or mixture", name, {*names, *declared}, HINT)
        tasks = task_registry.resolve([name])
        members[name] = [SeqioTask(task if override is None else with_vocabulary(task, override)) for task in tasks]
    return RegisteredTasks(members, frozenset(seqio.TaskRegistry.names()))
