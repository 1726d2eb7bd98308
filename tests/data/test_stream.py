import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy import stats

from t5mix.data.stream import ExampleRefs, MixedStream, SequentialStream, TaskData, permutation, uniforms
from t5mix.data.token_store import TokenStore

SIZES = {"a": 7, "b": 30, "c": 12}


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory, tiny) -> dict[str, TokenStore]:
    folder = tmp_path_factory.mktemp("stream")
    return {
        name: tiny.store_of_lengths(folder / name, [(1 + i % 5, 1 + i % 3) for i in range(size)])
        for name, size in SIZES.items()
    }


@pytest.fixture(scope="module")
def changing(tmp_path_factory: pytest.TempPathFactory, tiny) -> TaskData:
    """A task whose epochs have 3, 4, 5, 6, 3, ... examples, each epoch with lengths of its own."""
    folder = tmp_path_factory.mktemp("changing")
    epochs = [tiny.store_of_lengths(folder / str(e), [(1 + e, 1 + i) for i in range(3 + e)]) for e in range(4)]
    return TaskData("r", lambda epoch: epochs[epoch % 4])


def tasks_of(stores: dict[str, TokenStore], names: Sequence[str]) -> list[TaskData]:
    return [TaskData(name, lambda epoch, name=name: stores[name]) for name in names]


def take(stream: Any, count: int, chunk: int | None = None) -> ExampleRefs:
    parts = [stream.peek(0)]
    while count:
        size = min(count, chunk or count)
        parts.append(stream.peek(size))
        stream.advance(size)
        count -= size
    return ExampleRefs.concatenate(parts)


def same(first: ExampleRefs, second: ExampleRefs) -> bool:
    return all(
        np.array_equal(getattr(first, name), getattr(second, name))
        for name in ("tasks", "shards", "indices", "input_lengths", "target_lengths")
    )


def test_each_example_comes_once_an_epoch(stores: dict[str, TokenStore]):
    draws = take(MixedStream(tasks_of(stores, "abc"), seed=1), 300)
    for task, name in enumerate("abc"):
        mine = draws[draws.tasks == task]
        epochs = len(mine) // SIZES[name]
        assert epochs >= 2
        assert np.array_equal(mine.shards, np.arange(len(mine)) // SIZES[name])
        for epoch in range(epochs):
            assert sorted(mine.indices[mine.shards == epoch]) == list(range(SIZES[name]))


def test_lengths_are_those_of_the_store(stores: dict[str, TokenStore]):
    draws = take(MixedStream(tasks_of(stores, "abc"), seed=1), 60)
    for task, index, inputs, targets in zip(
        draws.tasks, draws.indices, draws.input_lengths, draws.target_lengths, strict=True
    ):
        tokens = stores["abc"[task]].example(int(index))
        assert (len(tokens[0]), len(tokens[1])) == (inputs, targets)


def test_epochs_and_seeds_differ_in_order(stores: dict[str, TokenStore]):
    orders = [permutation(seed, "b", epoch, 30).tolist() for seed in (0, 1) for epoch in (0, 1, 2)]
    assert len({tuple(order) for order in orders}) == 6
    draws = take(MixedStream(tasks_of(stores, "b"), seed=0), 60)
    assert draws.indices.tolist() == orders[0] + orders[1]


def test_tasks_seeds_and_epochs_have_independent_orders():
    """Rank correlation of every pair of orders, at the 0.1 % level over all of them."""
    keys = [(seed, task, epoch) for seed in (0, 1) for task in ("a", "b", "c") for epoch in (0, 1)]
    orders = np.stack([permutation(*key, 4_000) for key in keys])
    correlations = np.corrcoef(orders)[np.triu_indices(len(keys), 1)]
    bound = stats.norm.isf(0.0005 / len(correlations)) / math.sqrt(4_000)
    assert np.abs(correlations).max() < bound


def test_a_tasks_order_does_not_depend_on_the_rest_of_the_mixture(stores: dict[str, TokenStore]):
    alone = take(MixedStream(tasks_of(stores, "b"), seed=4), 40)
    for names in ("ab", "ba", "cab"):
        draws = take(MixedStream(tasks_of(stores, names), seed=4), 400)
        mine = draws[draws.tasks == names.index("b")]
        assert mine.indices[:40].tolist() == alone.indices.tolist()


@pytest.mark.parametrize("chunk", [1, 2, 5, 64])
def test_draws_do_not_depend_on_the_chunks(stores: dict[str, TokenStore], chunk: int):
    whole = take(MixedStream(tasks_of(stores, "abc"), seed=2), 128)
    assert same(take(MixedStream(tasks_of(stores, "abc"), seed=2), 128, chunk), whole)


def test_draws_do_not_depend_on_what_was_looked_at(stores: dict[str, TokenStore]):
    whole = take(MixedStream(tasks_of(stores, "abc"), seed=2), 120)
    stream, parts = MixedStream(tasks_of(stores, "abc"), seed=2), []
    draw = np.random.default_rng(0)
    while sum(map(len, parts)) < 120:
        taken = int(draw.integers(0, 9))
        stream.peek(int(draw.integers(0, 50)))
        ahead = stream.peek(taken + int(draw.integers(0, 20)))
        parts.append(ahead[:taken])
        stream.advance(taken)
    assert same(ExampleRefs.concatenate(parts)[:120], whole)


@pytest.mark.parametrize("cut", [0, 1, 3, 4, 12, 13, 18, 60])
def test_a_restored_stream_continues_alike(stores: dict[str, TokenStore], changing: TaskData, cut: int):
    tasks = [*tasks_of(stores, "ac"), changing]
    stream = MixedStream(tasks, seed=3)
    take(stream, cut)
    stream.peek(40)
    state = json.loads(json.dumps(stream.state()))
    rest = take(stream, 150)
    other = MixedStream(tasks, seed=3)
    other.peek(7)
    other.restore(state)
    assert same(take(other, 150, 11), rest)


@pytest.mark.parametrize("cut", range(20))
def test_epochs_of_different_sizes_are_each_seen_whole(changing: TaskData, cut: int):
    stream = MixedStream([changing], seed=3)
    first = take(stream, cut)
    other = MixedStream([changing], seed=3)
    other.restore(stream.state())
    draws = ExampleRefs.concatenate([first, take(other, 36 - cut)])
    sizes = [3, 4, 5, 6, 3, 4, 5, 6]
    assert draws.shards.tolist() == [epoch for epoch, size in enumerate(sizes) for _ in range(size)]
    for epoch, size in enumerate(sizes):
        assert sorted(draws.indices[draws.shards == epoch]) == list(range(size))
        assert set(draws.input_lengths[draws.shards == epoch]) == {1 + epoch % 4}


def test_progress_alone_asks_for_no_later_epoch(changing: TaskData):
    asked = []

    def store(epoch: int) -> TokenStore:
        asked.append(epoch)
        return changing.store(epoch)

    stream = MixedStream([TaskData("r", store)], seed=0)
    take(stream, 3)
    assert stream.state()["progress"] == {"r": [1, 0]}
    assert max(asked) == 0


def test_weights_rule_from_the_next_draw_on(stores: dict[str, TokenStore]):
    stream = MixedStream(tasks_of(stores, "ab"), seed=0)
    stream.peek(50)
    stream.set_proportions(np.asarray([1.0, 0.0]))
    assert set(take(stream, 50).tasks) == {0}
    stream.peek(50)
    stream.set_proportions(np.asarray([0.0, 1.0]))
    assert set(take(stream, 50).tasks) == {1}
    assert stream.state()["position"] == 100


def test_the_task_at_a_position_follows_from_its_uniform_number(stores: dict[str, TokenStore]):
    proportions = np.asarray([0.2, 0.5, 0.3])
    stream = MixedStream(tasks_of(stores, "abc"), seed=9)
    stream.set_proportions(proportions)
    take(stream, 37)
    found = take(stream, 100).tasks
    numbers = uniforms(9, 37, 100)
    assert found.tolist() == [0 if u < 0.2 else 1 if u < 0.7 else 2 for u in numbers]


@pytest.mark.parametrize("start", [0, 1, 2, 3, 4, 7, 1001, 2**40])
def test_uniforms_can_be_reached_at_any_position(start: int):
    assert np.array_equal(uniforms(5, start, 9)[4:], uniforms(5, start + 4, 5))
    assert np.array_equal(uniforms(5, start, 9)[1:], uniforms(5, start + 1, 8))
    assert uniforms(5, start, 0).shape == (0,)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_realised_counts_follow_the_weights(stores: dict[str, TokenStore], seed: int):
    """Chi-square at the 0.1 % level over 100,000 draws."""
    proportions = np.asarray([0.05, 0.6, 0.35])
    stream = MixedStream(tasks_of(stores, "abc"), seed)
    stream.set_proportions(proportions)
    counts = np.bincount(take(stream, 100_000).tasks, minlength=3)
    assert stats.chisquare(counts, proportions * 100_000).pvalue > 0.001


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_draws_are_independent(seed: int):
    """The runs test of Wald and Wolfowitz, and serial correlation, at the 0.1 % level."""
    numbers = uniforms(seed, 0, 100_000)
    above = numbers > 0.5
    ones, zeros = above.sum(), (~above).sum()
    runs = 1 + np.count_nonzero(above[1:] != above[:-1])
    mean = 2 * ones * zeros / (ones + zeros) + 1
    variance = (mean - 1) * (mean - 2) / (ones + zeros - 1)
    assert 2 * stats.norm.sf(abs(runs - mean) / math.sqrt(variance)) > 0.001
    assert stats.kstest(numbers, "uniform").pvalue > 0.001
    for lag in (1, 2, 4):
        assert abs(np.corrcoef(numbers[lag:], numbers[:-lag])[0, 1]) < 3.3 / math.sqrt(100_000)


def test_permutations_are_uniform():
    """Chi-square at the 0.1 % level: all 24 orders of 4 examples over 12,000 epochs."""
    orders = [tuple(permutation(0, "t", epoch, 4)) for epoch in range(12_000)]
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 24
    assert stats.chisquare(counts).pvalue > 0.001


def test_the_sequential_stream_ends(stores: dict[str, TokenStore]):
    stream = SequentialStream({4: stores["a"], 1: stores["c"]}, limit=9)
    draws = take(stream, 16, 5)
    assert draws.tasks.tolist() == [4] * 7 + [1] * 9
    assert draws.indices.tolist() == [*range(7), *range(9)]
    assert len(stream.peek(3)) == 0
