"""Makes the list of registered tasks and mixtures. Loads TensorFlow; touches neither the network nor the data."""

from collections.abc import Sequence
from typing import Any

from t5mix.cache import task_registry
from t5mix.cache.listing import Listing, RegisteredTask
from t5mix.cache.seqio_task import known_sizes, metric_names
from t5mix.tensorflow_setup import seqio


def list_registered(plugins: Sequence[str] = ()) -> Listing:
    """Returns all registered tasks and mixtures; `keep_listing` keeps the list for the next time.

    Raises:
        T5MixError: a plugin cannot be imported.
    """
    task_registry.load(plugins)
    mixtures = {
        name: tuple(task.name for task in task_registry.resolve([name]))
        for name in sorted(seqio.MixtureRegistry.names())
    }
    tasks = []
    for name in sorted(seqio.TaskRegistry.names()):
        task = seqio.TaskRegistry.get(name)
        splits = _known_splits(task.source)
        tasks.append(
            RegisteredTask(
                name=name,
                splits=splits,
                source=type(task.source).__name__,
                sizes=known_sizes(task.source, splits),
                metrics=metric_names(task),
                mixtures=tuple(mixture for mixture, members in mixtures.items() if name in members),
            )
        )
    return Listing(tuple(tasks), mixtures)


def _known_splits(source: Any) -> tuple[str, ...]:
    # A TFDS source that was given no splits asks the data set's own description, which may be far away.
    splits = source._splits if isinstance(source, seqio.TfdsDataSource) else source.splits
    return tuple(splits or ())
