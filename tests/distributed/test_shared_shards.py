"""Who makes, awaits and deletes shards where several processes train; what they tell one another is stood in for."""

import threading
from pathlib import Path
from typing import Any

import pytest

from t5mix.distributed import shared_shards
from t5mix.distributed.shared_shards import AwaitedShards, SharedShardCache, shared
from t5mix.errors import T5MixError


class CountingCache:
    """Stands in for `ShardCache`: makes what is waited for, and keeps count."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: list[int] = []
        self.requested: list[int] = []
        self.discarded: list[int] = []
        self.closed = False

    def path(self, task: str, shard: int) -> Path:
        return self.folder / task / str(shard)

    def make(self, task: str, shard: int) -> None:
        self.path(task, shard).mkdir(parents=True)
        (self.path(task, shard) / "meta.json").touch()

    def request(self, task: str, shard: int) -> None:
        self.requested.append(shard)

    def wait(self, task: str, shard: int) -> Path:
        if not (self.path(task, shard) / "meta.json").exists():
            if self.closed:
                raise T5MixError("closed")
            self.made.append(shard)
            self.make(task, shard)
        return self.path(task, shard)

    def discard(self, task: str, shard: int) -> None:
        self.discarded.append(shard)

    def close(self) -> None:
        self.closed = True


class Marks:
    """Stands in for what the processes tell one another."""

    def __init__(self) -> None:
        self.of: dict[str, set[int]] = {}
        self.process = 0

    def arrive(self, point: str) -> None:
        self.of.setdefault(point, set()).add(self.process)

    def all_arrived(self, point: str) -> bool:
        return self.of[point] == {0, 1}


@pytest.fixture
def shard_cache(tmp_path: Path) -> Any:
    return CountingCache(tmp_path)


@pytest.fixture
def marks(monkeypatch: pytest.MonkeyPatch) -> Marks:
    marks = Marks()
    monkeypatch.setattr(shared_shards, "arrive", marks.arrive)
    monkeypatch.setattr(shared_shards, "all_arrived", marks.all_arrived)
    return marks


def test_alone_a_process_has_its_cache(shard_cache: Any):
    assert shared(shard_cache) is shard_cache


def test_a_shard_is_deleted_when_nobody_needs_it(shard_cache: Any, marks: Marks):
    making, awaited = SharedShardCache(shard_cache), AwaitedShards(shard_cache)
    making.request("c4", 1)
    assert making.wait("c4", 1) == shard_cache.path("c4", 1)
    assert (shard_cache.requested, shard_cache.made) == ([1], [1])
    making.discard("c4", 1)
    making.discard("c4", 2)
    assert shard_cache.discarded == []
    marks.process = 1
    for shard in (1, 2):
        awaited.discard("c4", shard)
    marks.process = 0
    making.discard("c4", 3)
    assert shard_cache.discarded == [1, 2]
    making.discard("c4", 4)
    assert shard_cache.discarded == [1, 2]
    making.close()
    assert shard_cache.closed


def test_another_process_waits_for_what_the_first_one_makes(shard_cache: Any):
    awaited = AwaitedShards(shard_cache)
    awaited.request("c4", 1)
    timer = threading.Timer(0.3, shard_cache.make, ("c4", 1))
    timer.start()
    assert awaited.wait("c4", 1) == shard_cache.path("c4", 1)
    timer.join()
    assert shard_cache.made == shard_cache.requested == []


def test_what_does_not_come_is_made(shard_cache: Any):
    assert AwaitedShards(shard_cache, patience=0).wait("c4", 1) == shard_cache.path("c4", 1)
    assert shard_cache.made == [1]


def test_closing_wakes_who_waits(shard_cache: Any):
    awaited = AwaitedShards(shard_cache)
    awaited.close()
    with pytest.raises(T5MixError, match="closed"):
        awaited.wait("c4", 1)
