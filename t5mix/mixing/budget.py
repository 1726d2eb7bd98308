"""A run's mixture in numbers: how large its tasks are, and how much of them the run will draw."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from t5mix.data.manifest import DataLock
from t5mix.data.packing import BatchShape, Planner
from t5mix.data.stream import MixedStream, TaskData
from t5mix.data.token_store import TokenStore, content_of, open_store
from t5mix.mixing.base import MixingBudget, MixingStrategy, named_tasks
from t5mix.mixing.task_sizes import Census, TaskSize, Unit

_PLANNED = 20  # batches packed to see how many examples one holds; good to a few per cent
_ROUNDS = 3  # the budget decides the proportions of some strategies, and those decide the budget: this settles it
_MOMENTS = 9  # steps of the run at which a schedule is looked at


@dataclasses.dataclass(frozen=True)
class Packing:
    """What batches of a mixture hold.

    Attributes:
        examples: mean number in a batch.
        inputs_filled: share of encoder positions that hold a token.
        targets_filled: the same of the decoder.
    """

    examples: float
    inputs_filled: float
    targets_filled: float


@dataclasses.dataclass(frozen=True)
class Expectation:
    """What a run is expected to draw.

    Attributes:
        budget: as strategies are told.
        examples: of each task, by task id; [N].
    """

    budget: MixingBudget
    examples: np.ndarray


def census_of(lock: DataLock, strategy: MixingStrategy, unit: Unit) -> Census:
    """Returns the tasks of a run as a strategy is to see them."""
    tasks = []
    for task in lock.tasks:
        counts = task.splits["train"].counts
        content = content_of(task.path("train"))
        tasks.append(TaskSize(task.name, counts.examples, counts.input_tokens + counts.target_tokens, content))
    return Census(tasks, unit, split_duplicates=not named_tasks(strategy))


def expect(
    lock: DataLock, strategy: MixingStrategy, census: Census, shape: BatchShape, *, steps: int, seed: int
) -> Expectation:
    """Returns what a run is expected to draw, from packing batches of its first data."""
    stores, names = first_stores(lock), [task.name for task in lock.tasks]
    expected = Expectation(MixingBudget(steps, float(sum(census.sizes.values()))), np.zeros(len(names)))
    for _ in range(_ROUNDS):
        draws = mean_draws(strategy, census, expected.budget)
        examples = steps * pack(stores, names, shape, draws, seed=seed, batches=min(steps, _PLANNED)).examples
        expected = Expectation(MixingBudget(steps, census.amount(examples, draws)), examples * draws)
    return expected


def mean_draws(strategy: MixingStrategy, census: Census, budget: MixingBudget) -> np.ndarray:
    """Returns the mean probability of each task over a run without feedback, by task id; [N]."""
    return draws_over_run(strategy, census, budget).mean(axis=0)


def draws_over_run(strategy: MixingStrategy, census: Census, budget: MixingBudget) -> np.ndarray:
    """Returns the probability of each task, by task id, at moments from the first step to the last; [M, N].

    The strategy is told no losses.
    """
    state = strategy.init(census.sizes, budget)
    return np.stack([census.draws(strategy.weights(state, step)) for step in moments(budget.steps)])


def moments(steps: int) -> list[int]:
    """Returns steps spread over a run, the first and the last among them."""
    return np.unique(np.linspace(0, steps - 1, _MOMENTS).round().astype(int)).tolist()


def pack(
    stores: Sequence[TokenStore], names: Sequence[str], shape: BatchShape, draws: np.ndarray, *, seed: int, batches: int
) -> Packing:
    """Plans batches of some stores, drawn with given probabilities."""
    tasks = [_endless(name, store) for name, store in zip(names, stores, strict=True)]
    stream = MixedStream(tasks, seed)
    stream.set_weights(draws)
    planner = Planner(stream, shape)
    plans = [plan for _ in range(batches) if (plan := planner.next()) is not None]
    inputs = sum(int(plan.examples.input_lengths.sum()) for plan in plans)
    targets = sum(int(plan.examples.target_lengths.sum()) for plan in plans)
    return Packing(
        examples=sum(len(plan.examples) for plan in plans) / batches,
        inputs_filled=inputs / (batches * shape.rows * shape.inputs),
        targets_filled=targets / (batches * shape.rows * shape.targets),
    )


def first_stores(lock: DataLock) -> list[TokenStore]:
    """Returns each task's training data; of a random or streamed task, the first piece."""
    return [open_store(task.path("train"), verify=False) for task in lock.tasks]


def _endless(name: str, store: TokenStore) -> TaskData:
    return TaskData(name, lambda epoch: store)
