"""The shards of random and streamed tasks in a run of several processes: process 0 makes and deletes them for all."""

import threading
import time
from pathlib import Path

import jax

from t5mix.data.pipeline import ShardStores
from t5mix.data.prepare_client import ShardCache
from t5mix.distributed.processes import all_arrived, arrive, is_main_process

_POLL_SECONDS = 0.2
_PATIENCE_SECONDS = 900.0


def shared(shard_cache: ShardCache) -> ShardStores:
    """Returns the shards of this process of the run."""
    if jax.process_count() == 1:
        return shard_cache
    return SharedShardCache(shard_cache) if is_main_process() else AwaitedShards(shard_cache)


class SharedShardCache:
    """The shards of process 0: made here, and deleted when no process needs them any more.

    Args:
        shard_cache: makes and deletes them.
    """

    def __init__(self, shard_cache: ShardCache) -> None:
        self._cache = shard_cache
        self._used: list[tuple[str, int]] = []
        self.request, self.wait, self.close = shard_cache.request, shard_cache.wait, shard_cache.close

    def discard(self, task: str, shard: int) -> None:
        """Deletes the stores that this process and all others have discarded."""
        arrive(_key(task, shard))
        self._used.append((task, shard))
        discarded = [used for used in self._used if all_arrived(_key(*used))]
        self._used = [used for used in self._used if used not in discarded]
        for used in discarded:
            self._cache.discard(*used)


class AwaitedShards:
    """The shards of another process: those that process 0 makes, or its own where one does not come.

    Args:
        shard_cache: makes those that do not come.
        patience: how many seconds a shard is waited for.
    """

    def __init__(self, shard_cache: ShardCache, patience: float = _PATIENCE_SECONDS) -> None:
        self._cache, self._patience = shard_cache, patience
        self._closed = threading.Event()

    def request(self, task: str, shard: int) -> None:
        """Does nothing: process 0 draws the same examples, and asks for the same shards."""

    def wait(self, task: str, shard: int) -> Path:
        """Returns a shard's store once it is there.

        Raises:
            T5MixError: it cannot be made, or the run has stopped.
        """
        path, latest = self._cache.path(task, shard), time.monotonic() + self._patience
        while not (path / "meta.json").exists() and time.monotonic() < latest:
            if self._closed.wait(_POLL_SECONDS):
                break
        return self._cache.wait(task, shard)  # of a shard that is slow to make a second one is made: the same

    def discard(self, task: str, shard: int) -> None:
        """Tells process 0 that this one needs the store no more."""
        arrive(_key(task, shard))

    def close(self) -> None:
        """Wakes who waits."""
        self._closed.set()
        self._cache.close()


def _key(task: str, shard: int) -> str:
    return f"discarded/{task}/{shard}"
