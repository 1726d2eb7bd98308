"""A run's mixture in numbers: how large its tasks are, and how much of them the run will draw."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from t5mix.data.manifest import DataManifest
from t5mix.data.packing import BatchShape, SequencePacker
from t5mix.data.stream import MixedStream, TaskData
from t5mix.data.token_store import TokenStore, content_of, open_store
from t5mix.mixing.base import MixingBudget, MixingStrategy
from t5mix.mixing.task_sizes import TaskSize, TaskSizes, Unit

_MOST_PACKED = 100  # batches packed to see what one holds; their mean is within a per cent or two of a longer run's
_ROUNDS = 3  # the budget decides the proportions of some strategies, and those decide the budget: this settles it
_MOMENTS = 9  # steps of the run at which a schedule is looked at


@dataclasses.dataclass(frozen=True)
class Packing:
    """What batches of a mixture hold.

    Attributes:
        batches: how many were packed.
        examples: mean number in a batch.
        inputs_filled: share of encoder positions that hold a token.
        targets_filled: the same of the decoder.
    """

    batches: int
    examples: float
    inputs_filled: float
    targets_filled: float


@dataclasses.dataclass(frozen=True)
class BudgetEstimate:
    """What a run is expected to draw, without feedback.

    Attributes:
        budget: as strategies are told.
        packing: what its first batches hold.
        over_run: probability of each task, by task id, at steps from the first to the last; [M, N].
    """

    budget: MixingBudget
    packing: Packing
    over_run: np.ndarray

    @property
    def examples(self) -> np.ndarray:
        """How many examples of each task, by task id; [N]."""
        return self.budget.steps * self.packing.examples * self.over_run.mean(axis=0)


def read_task_sizes(manifest: DataManifest, strategy: MixingStrategy, unit: Unit) -> TaskSizes:
    """Returns the tasks of a run as a strategy is to see them."""
    tasks = []
    for task in manifest.tasks:
        counts = task.splits["train"].counts
        content = content_of(task.path("train"))
        tasks.append(TaskSize(task.name, counts.examples, counts.input_tokens + counts.target_tokens, content))
    return TaskSizes(tasks, unit, split_duplicates=not strategy.named_tasks)


def estimate_budget(
    manifest: DataManifest, strategy: MixingStrategy, task_sizes: TaskSizes, shape: BatchShape, *, steps: int, seed: int
) -> BudgetEstimate:
    """Returns what a run is expected to draw, from packing batches of its first data."""
    stores, names = first_stores(manifest), [task.name for task in manifest.tasks]
    batches = min(steps, _MOST_PACKED)
    budget = MixingBudget(steps, float(sum(task_sizes.sizes.values())))
    over_run = proportions_over_run(strategy, task_sizes, budget)
    for _ in range(_ROUNDS):
        proportions = over_run.mean(axis=0)
        packing = pack(stores, names, shape, proportions, seed=seed, batches=batches)
        budget = MixingBudget(steps, task_sizes.amount(steps * packing.examples, proportions))
        over_run = proportions_over_run(strategy, task_sizes, budget)
        if np.array_equal(over_run.mean(axis=0), proportions):
            break  # a further round would find the same
    return BudgetEstimate(budget, packing, over_run)


def proportions_over_run(strategy: MixingStrategy, task_sizes: TaskSizes, budget: MixingBudget) -> np.ndarray:
    """Returns the probability of each task, by task id, at moments from the first step to the last; [M, N].

    The strategy is told no losses.
    """
    state = strategy.init(task_sizes.sizes, budget)
    return np.stack(
        [task_sizes.example_proportions(strategy.proportions(state, step)) for step in sample_steps(budget.steps)]
    )


def sample_steps(steps: int) -> list[int]:
    """Returns steps spread over a run, the first and the last among them."""
    return np.unique(np.linspace(0, steps - 1, _MOMENTS).round().astype(int)).tolist()


def pack(
    stores: Sequence[TokenStore],
    names: Sequence[str],
    shape: BatchShape,
    proportions: np.ndarray,
    *,
    seed: int,
    batches: int,
) -> Packing:
    """Plans batches of some stores, drawn with given probabilities."""
    tasks = [_endless(name, store) for name, store in zip(names, stores, strict=True)]
    stream = MixedStream(tasks, seed)
    stream.set_proportions(proportions)
    packer = SequencePacker(stream, shape)
    layouts = [layout for _ in range(batches) if (layout := packer.next()) is not None]
    inputs = sum(int(layout.examples.input_lengths.sum()) for layout in layouts)
    targets = sum(int(layout.examples.target_lengths.sum()) for layout in layouts)
    return Packing(
        batches=batches,
        examples=sum(len(layout.examples) for layout in layouts) / batches,
        inputs_filled=inputs / (batches * shape.rows * shape.inputs),
        targets_filled=targets / (batches * shape.rows * shape.targets),
    )


def first_stores(manifest: DataManifest) -> list[TokenStore]:
    """Returns each task's training data; of a random or streamed task, the first piece."""
    return [open_store(task.path("train"), verify=False) for task in manifest.tasks]


def _endless(name: str, store: TokenStore) -> TaskData:
    return TaskData(name, lambda epoch: store)
