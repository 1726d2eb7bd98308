"""What a mixture will draw, before anything is trained: proportions, and expected examples, tokens and epochs."""

import dataclasses

from t5mix.data.lock import DataLock, TaskEntry
from t5mix.data.preparation import prepare_in_child
from t5mix.errors import T5MixError
from t5mix.experiment import Experiment
from t5mix.mixing import MixingStrategy, StaticStrategy
from t5mix.training.mixture import census_of, expect, first_stores, mean_draws, pack

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

    An adaptive strategy is forecast without feedback: as it would go on if it never learned a loss.

    Raises:
        T5MixError: there are no steps to plan; or see `t5mix.data.prepare.prepare`.
    """
    if steps < 1:
        raise T5MixError(f"--steps is {steps}: it must be 1 or more.")
    request = experiment.data_request(splits=("train",))
    return forecast_of(prepare_in_child(request), experiment, experiment.mixing, steps)


def forecast_of(lock: DataLock, experiment: Experiment, strategy: MixingStrategy, steps: int) -> Forecast:
    """Forecasts one strategy on data that is ready; see `forecast`."""
    census = census_of(lock, strategy, experiment.mixing_unit)
    shape = experiment.training.batch_shape(experiment.lengths.inputs, experiment.lengths.targets)
    seed, planned = experiment.seed, min(steps, _MOST_PLANNED)
    expected = expect(lock, strategy, census, shape, steps=steps, seed=seed)
    draws = mean_draws(strategy, census, expected.budget)
    packing = pack(first_stores(lock), [task.name for task in lock.tasks], shape, draws, seed=seed, batches=planned)
    rates = strategy.rates(census.sizes) if isinstance(strategy, StaticStrategy) else {}
    tasks = tuple(
        _task(task, rates.get(task.name), float(draw), packing.examples * steps)
        for task, draw in zip(lock.tasks, draws, strict=True)
    )
    return Forecast(tasks, steps, planned, packing.examples, packing.inputs_filled, packing.targets_filled)


def _task(task: TaskEntry, rate: float | None, proportion: float, examples: float) -> TaskForecast:
    counts = task.splits["train"].counts
    size = counts.examples
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
