"""What a mixture will draw, before anything is trained: proportions, and expected examples, tokens and epochs."""

import dataclasses
from pathlib import Path

import numpy as np

from t5mix.data.lock import DataLock, TaskEntry, epoch_path
from t5mix.data.plan import BatchShape, Planner
from t5mix.data.preparation import prepare_in_child
from t5mix.data.store import TokenStore, open_store
from t5mix.data.stream import MixedStream, TaskData
from t5mix.errors import T5MixError
from t5mix.experiment import Experiment
from t5mix.mixing import StaticStrategy

_MOST_PLANNED = 100  # batches; their mean is within a per cent or two of any longer run's


@dataclasses.dataclass(frozen=True)
class TaskForecast:
    """What one task is expected to get.

    Attributes:
        name: the task.
        size: training examples.
        rate: the strategy's unnormalised rate; None if it has none.
        proportion: share of the examples.
        examples: expected over the run.
        tokens: inputs and targets together.
        epochs: passes over the task's data.
        truncated: share of its examples whose inputs or targets are cut.
    """

    name: str
    size: int
    rate: float | None
    proportion: float
    examples: float
    tokens: float
    epochs: float
    truncated: float


@dataclasses.dataclass(frozen=True)
class Forecast:
    """What a mixture is expected to draw.

    Attributes:
        tasks: each task.
        steps: of the run.
        planned_steps: batches that were packed to find out.
        examples_per_step: mean examples in a batch.
        inputs_filled: share of encoder positions that hold a token.
        targets_filled: the same of the decoder.
    """

    tasks: tuple[TaskForecast, ...]
    steps: int
    planned_steps: int
    examples_per_step: float
    inputs_filled: float
    targets_filled: float


def forecast(experiment: Experiment, steps: int) -> Forecast:
    """Prepares the data of an experiment, packs its first batches, and extrapolates.

    Raises:
        T5MixError: there are no steps to plan; or see `t5mix.data.prepare.prepare`.
    """
    if steps < 1:
        raise T5MixError(f"--steps is {steps}: it must be 1 or more.")
    lock = prepare_in_child(experiment.data_request(splits=("train",)))
    sizes = {task.name: task.splits["train"].counts.examples for task in lock.tasks}
    strategy = experiment.mixing
    rates = strategy.rates(sizes) if isinstance(strategy, StaticStrategy) else {}
    weights = strategy.weights(strategy.init(sizes), 0)
    shape = experiment.training.batch_shape(experiment.lengths.inputs, experiment.lengths.targets)
    planned = min(steps, _MOST_PLANNED)
    proportions = np.asarray([weights[task.name] for task in lock.tasks])
    per_step, inputs, targets = _pack(lock, shape, proportions, experiment.seed, planned)
    tasks = tuple(
        _task(task, sizes[task.name], rates.get(task.name), weights[task.name], per_step * steps) for task in lock.tasks
    )
    return Forecast(tasks, steps, planned, per_step, inputs, targets)


def _pack(
    lock: DataLock, shape: BatchShape, weights: np.ndarray, seed: int, batches: int
) -> tuple[float, float, float]:
    """Returns mean examples a batch, and the shares of encoder and decoder positions filled."""
    stores = [_first_epoch(task) for task in lock.tasks]
    stream = MixedStream([_endless(task.name, store) for task, store in zip(lock.tasks, stores, strict=True)], seed)
    stream.set_weights(weights)
    planner = Planner(stream, shape)
    plans = [plan for _ in range(batches) if (plan := planner.next()) is not None]
    examples = sum(len(plan.examples) for plan in plans) / batches
    inputs = sum(int(plan.examples.input_lengths.sum()) for plan in plans)
    targets = sum(int(plan.examples.target_lengths.sum()) for plan in plans)
    return examples, inputs / (batches * shape.rows * shape.inputs), targets / (batches * shape.rows * shape.targets)


def _first_epoch(task: TaskEntry) -> TokenStore:
    path = Path(task.splits["train"].path)
    return open_store(epoch_path(path, 0) if task.random else path, verify=False)


def _endless(name: str, store: TokenStore) -> TaskData:
    return TaskData(name, lambda epoch: store)


def _task(task: TaskEntry, size: int, rate: float | None, proportion: float, examples: float) -> TaskForecast:
    counts = task.splits["train"].counts
    own = proportion * examples
    mean_tokens = (counts.input_tokens + counts.target_tokens) / counts.examples
    return TaskForecast(
        name=task.name,
        size=size,
        rate=rate,
        proportion=proportion,
        examples=own,
        tokens=own * mean_tokens,
        epochs=own / size,
        truncated=max(counts.truncated_inputs, counts.truncated_targets) / counts.examples,
    )
