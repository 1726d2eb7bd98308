"""Which example stands at global position k: a pure function of the seed, k and the proportions in force.

The task at position k follows from one uniform number, the k-th output of a counter-based generator, so the
draws are independent of each other and any position can be reached without the ones before it. Within a task,
examples come shard by shard, each shard in the order of a permutation of its own. For most tasks a shard is an
epoch, and always the same store. For a random task it is an epoch too, with a store of its own. A streamed task reads
one shard of its source after the other, in another order each epoch. So each example is seen exactly once an epoch.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from t5mix.data.token_store import TokenStore

_WORDS_PER_COUNT = 4  # one tick of Philox's counter gives four 64-bit words


@dataclasses.dataclass(frozen=True)
class TaskData:
    """One task's training examples, shard by shard.

    Attributes:
        name: the task's name; the order of its examples depends on it and on nothing else of the mixture.
        store: gives the token store of a shard, counted from 0 through all epochs. For most tasks it is always the
            same one; a random or streamed task has others, and the call may wait for them.
        release: is told that no shard before the given one will be asked for again.
    """

    name: str
    store: Callable[[int], TokenStore]
    release: Callable[[int], None] = lambda shard: None


@dataclasses.dataclass(frozen=True)
class ExampleRefs:
    """A stretch of the stream. All arrays have the same length, one entry an example.

    Attributes:
        tasks: index of the task.
        shards: which shard of that task's data, counted from 0 through all epochs.
        indices: which example of that shard's store.
        input_lengths: its tokens in the inputs.
        target_lengths: its tokens in the targets.
    """

    tasks: np.ndarray
    shards: np.ndarray
    indices: np.ndarray
    input_lengths: np.ndarray
    target_lengths: np.ndarray

    def __len__(self) -> int:
        return len(self.tasks)

    def __getitem__(self, key: Any) -> "ExampleRefs":
        return ExampleRefs(*(getattr(self, field.name)[key] for field in dataclasses.fields(self)))

    @staticmethod
    def concatenate(parts: "Sequence[ExampleRefs]") -> "ExampleRefs":
        """Returns the parts one after the other."""
        names = [field.name for field in dataclasses.fields(ExampleRefs)]
        return ExampleRefs(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


class ExampleSource(Protocol):
    """What a packer draws from: a stream of examples that can be looked at before they are taken."""

    def peek(self, count: int) -> ExampleRefs:
        """Returns the next examples, up to `count` of them; fewer only where the stream ends."""
        ...

    def advance(self, count: int) -> None:
        """Takes the next `count` examples, which must have been looked at."""
        ...


class MixedStream:
    """The endless stream of a mixture.

    Args:
        tasks: the tasks, in an order that the proportions follow.
        seed: decides everything random here.
    """

    def __init__(self, tasks: Sequence[TaskData], seed: int) -> None:
        self.tasks = tasks
        self._seed = seed
        self._position = 0
        self._progress = [(0, 0)] * len(tasks)  # (shard, examples of it already drawn) for each task
        self._proportions = np.full(len(tasks), 1 / len(tasks))
        self._ahead: ExampleRefs | None = None
        self._orders: dict[tuple[int, int], np.ndarray] = {}

    def set_proportions(self, proportions: np.ndarray) -> None:
        """Puts new proportions in force from the next draw on; examples only looked at are drawn again."""
        if not np.array_equal(proportions, self._proportions):
            self._proportions = proportions
            self._ahead = None

    def state(self) -> dict[str, Any]:
        """Returns the handful of integers that say where the stream is; JSON-able."""
        progress = {task.name: list(done) for task, done in zip(self.tasks, self._progress, strict=True)}
        return {"position": self._position, "progress": progress}

    def restore(self, state: dict[str, Any]) -> None:
        """Moves the stream to where `state` was taken."""
        self._position = state["position"]
        self._progress = [(int(p), int(c)) for p, c in (state["progress"][task.name] for task in self.tasks)]
        self._ahead = None

    def shards(self) -> list[int]:
        """Returns the shard that the next example of each task comes from, or would if it were not used up."""
        return [shard for shard, _ in self._progress]

    def peek(self, count: int) -> ExampleRefs:
        """Returns the next `count` examples without taking them."""
        if self._ahead is None or len(self._ahead) < count:
            self._ahead = self._draw(count)
        return self._ahead[:count]

    def advance(self, count: int) -> None:
        """Takes the next `count` examples, which must have been looked at."""
        assert self._ahead is not None
        assert count <= len(self._ahead)
        taken = np.bincount(self._ahead.tasks[:count], minlength=len(self.tasks))
        for task, number in enumerate(taken):
            self._progress[task] = self._after(task, int(number))
        self._position += count
        self._ahead = self._ahead[count:]

    def _draw(self, count: int) -> ExampleRefs:
        edges = np.cumsum(self._proportions)
        edges[np.flatnonzero(self._proportions)[-1] :] = 1.0 + 1e-9  # the sum may fall short of one by rounding
        numbers = uniforms(self._seed, self._position, count)
        tasks = np.searchsorted(edges, numbers, side="right").astype(np.int32)
        columns = [np.empty(count, np.int64) for _ in range(4)]
        for task in np.unique(tasks):
            positions = np.flatnonzero(tasks == task)
            for column, values in zip(columns, self._next_of_task(int(task), len(positions)), strict=True):
                column[positions] = values
        return ExampleRefs(tasks, *columns)

    def _next_of_task(self, task: int, count: int) -> tuple[np.ndarray, ...]:
        shard, done = self._progress[task]
        parts = []
        while count:
            store = self.tasks[task].store(shard)
            take = min(count, len(store) - done)
            indices = self._order(task, shard, len(store))[done : done + take].astype(np.int64)
            parts.append((np.full(take, shard), indices, *lengths_of(store, indices)))
            count -= take
            shard, done = shard + 1, 0
        return tuple(np.concatenate(column) for column in zip(*parts, strict=True))

    def _after(self, task: int, count: int) -> tuple[int, int]:
        """Returns the progress of a task once `count` more of its examples are drawn."""
        shard, done = self._progress[task]
        done += count
        while count and done >= (size := len(self.tasks[task].store(shard))):
            shard, done = shard + 1, done - size
            if done == 0:
                break
        return shard, done

    def _order(self, task: int, shard: int, size: int) -> np.ndarray:
        key = (task, shard)
        if key not in self._orders:
            for old in [k for k in self._orders if k[0] == task and k[1] < self._progress[task][0]]:
                del self._orders[old]
            self._orders[key] = permutation(self._seed, self.tasks[task].name, shard, size)
        return self._orders[key]


class SequentialStream:
    """The examples of some tasks once, task by task in the store's order: what evaluation reads.

    Args:
        stores: task id -> store.
        limit: the most examples of each task, its first ones; None for all.
    """

    def __init__(self, stores: Mapping[int, TokenStore], limit: int | None = None) -> None:
        self._stores = stores
        counts = {task: len(store) if limit is None else min(limit, len(store)) for task, store in stores.items()}
        self._tasks = np.repeat(np.asarray(list(counts), np.int32), list(counts.values()))
        self._indices = np.concatenate([np.zeros(0, np.int64), *(np.arange(count) for count in counts.values())])
        self._next = 0

    def peek(self, count: int) -> ExampleRefs:
        """Returns the next examples, up to `count`; fewer only at the end of the last task."""
        ahead = slice(self._next, self._next + count)
        tasks, indices = self._tasks[ahead], self._indices[ahead]
        inputs, targets = np.zeros_like(indices), np.zeros_like(indices)
        for task in np.unique(tasks):
            members = tasks == task
            inputs[members], targets[members] = lengths_of(self._stores[int(task)], indices[members])
        return ExampleRefs(tasks, np.zeros_like(indices), indices, inputs, targets)

    def advance(self, count: int) -> None:
        """Takes the next `count` examples."""
        self._next += count


def uniforms(seed: int, start: int, count: int) -> np.ndarray:
    """Returns the numbers at positions start .. start + count of the seed's uniform sequence on [0, 1)."""
    skip = start % _WORDS_PER_COUNT
    generator = np.random.Philox(key=_key(seed, "mixture"), counter=start // _WORDS_PER_COUNT)
    words = generator.random_raw(skip + count)[skip:]
    return (words >> np.uint64(11)) * 2.0**-53


def permutation(seed: int, task: str, shard: int, size: int) -> np.ndarray:
    """Returns the order in which the examples of one shard of a task are visited, int32 or int64 [size]."""
    generator = np.random.Generator(np.random.Philox(key=_key(seed, "order", task, shard)))
    return generator.permutation(np.arange(size, dtype=np.int32 if size < 2**31 else np.int64))


def source_shard_of(seed: int, task: str, shard: int, source_shards: int) -> int:
    """Returns which source shard a shard of a streamed task holds; every source shard comes once an epoch."""
    epoch, index = divmod(shard, source_shards)
    generator = np.random.Generator(np.random.Philox(key=_key(seed, "shards", task, epoch)))
    return int(generator.permutation(source_shards)[index])


def lengths_of(store: TokenStore, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the numbers of input and target tokens of some examples."""
    inputs = store.input_offsets[indices + 1] - store.input_offsets[indices]
    targets = store.target_offsets[indices + 1] - store.target_offsets[indices]
    return inputs, targets


def _key(seed: int, *parts: str | int) -> int:
    """Returns a 128-bit key for one purpose, unrelated to the key of any other."""
    text = "/".join(str(part) for part in ("t5mix", seed, *parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "little")
