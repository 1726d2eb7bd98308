"""The shards of a streamed task's source: how many there are, and how much all of them hold."""

import dataclasses
import logging

from t5mix.cache.run_task import RunTask, SplitSpec
from t5mix.data.manifest import StoreEntry
from t5mix.data.stream import source_shard_of
from t5mix.errors import T5MixError

log = logging.getLogger(__name__)


def count_shards(task: RunTask, split: str) -> int:
    """Returns the number of shards that a split can be read in.

    Raises:
        T5MixError: it can be read as a whole only.
    """
    name, source = f"Task {task.name!r} cannot be streamed", task.source
    try:
        source_shards = len(task.shards(split))
    except T5MixError:
        raise
    except Exception as error:  # a source may be anybody's code
        raise T5MixError(
            f"{name}: its {source} cannot list the shards of split {split!r} ({type(error).__name__}: {error}). "
            "Leave it out of streamed."
        ) from error
    if source_shards < 2:
        raise T5MixError(
            f"{name}: its {source} reads split {split!r} as a whole, and it takes 2 shards or more. Divide its file "
            "into several (split -n l/100 corpus.txt part- --additional-suffix=.txt) and name them by a pattern "
            "(part-*.txt), or leave it out of streamed."
        )
    return source_shards


def extrapolated(entry: StoreEntry, spec: SplitSpec, seed: int, examples: int | None) -> StoreEntry:
    """Returns the entry of a streamed split, with counts for all of it.

    Args:
        entry: with the counts of the first shard.
        spec: the split.
        seed: the run's, which decides what shard the first shard is.
        examples: the number of examples, if it is known; else it is estimated, as if all shards held as many to the
            byte.

    Raises:
        T5MixError: the first shard alone has more examples.
    """
    counts, name = entry.counts, spec.task.name
    factor = _whole_to_shard(spec, source_shard_of(seed, name, 0, spec.source_shards))
    if examples is None:
        log.warning(
            "Task %s is read in %d shards. Its size, %s examples, is an estimate from the first one, which holds %s; "
            "if you know it, give it: streamed.%s=NUMBER.",
            *(name, spec.source_shards, f"{round(factor * counts.examples):,}", f"{counts.examples:,}", name),
        )
    elif examples < counts.examples:
        raise T5MixError(
            f"streamed.{name} is {examples}, and its first shard alone holds {counts.examples} examples. Give the "
            "number of all its training examples, or null to have it estimated."
        )
    else:
        factor = examples / counts.examples
    whole = {
        field: round(factor * getattr(counts, field))
        for field in ("examples", "input_tokens", "target_tokens", "truncated_inputs", "truncated_targets")
    }
    return dataclasses.replace(entry, counts=dataclasses.replace(counts, **whole), estimated=examples is None)


def _whole_to_shard(spec: SplitSpec, source_shard: int) -> float:
    """Returns how many times as large as a shard the whole source is: by the bytes of its files, if it has files."""
    sizes = spec.task.shard_bytes(spec.split)
    if sizes is None or not sizes[source_shard]:
        return spec.source_shards
    return sum(sizes) / sizes[source_shard]
