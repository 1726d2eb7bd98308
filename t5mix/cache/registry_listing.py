"""What there is to train on: the data behind `t5mix tasks` and `t5mix mixtures`."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from t5mix.cache import task_registry
from t5mix.cache.seqio_task import known_sizes, metric_names
from t5mix.tensorflow_setup import seqio


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


def list_tasks(plugins: Sequence[str] = ()) -> list[RegisteredTask]:
    """Returns all registered tasks by name; touches neither the network nor the data.

    Raises:
        T5MixError: a plugin cannot be imported.
    """
    task_registry.load(plugins)
    members = list_mixtures()
    summaries = []
    for name in sorted(seqio.TaskRegistry.names()):
        task = seqio.TaskRegistry.get(name)
        splits = _known_splits(task.source)
        summaries.append(
            RegisteredTask(
                name=name,
                splits=splits,
                source=type(task.source).__name__,
                sizes=known_sizes(task.source, splits),
                metrics=metric_names(task),
                mixtures=tuple(mixture for mixture, tasks in members.items() if name in tasks),
            )
        )
    return summaries


def list_mixtures(plugins: Sequence[str] = ()) -> dict[str, tuple[str, ...]]:
    """Returns the tasks of each registered mixture.

    Raises:
        T5MixError: a plugin cannot be imported.
    """
    task_registry.load(plugins)
    return {
        name: tuple(task.name for task in task_registry.resolve([name]))
        for name in sorted(seqio.MixtureRegistry.names())
    }


def _known_splits(source: Any) -> tuple[str, ...]:
    # A TFDS source that was given no splits asks the data set's own description, which may be far away.
    splits = source._splits if isinstance(source, seqio.TfdsDataSource) else source.splits
    return tuple(splits or ())
