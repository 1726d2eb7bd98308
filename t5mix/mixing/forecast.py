"""What a mixture will draw, before anything is trained: proportions, and expected examples, tokens and epochs."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from t5mix.data.manifest import DataManifest, TaskEntry
from t5mix.data.packing import BatchShape
from t5mix.mixing.base import (
    STRATEGIES,
    MixingBudget,
    MixingStrategy,
    StaticStrategy,
    TaskFeedback,
    normalized,
)
from t5mix.mixing.budget import estimate_budget, read_task_sizes, sample_steps
from t5mix.mixing.proportional import Proportional
from t5mix.mixing.task_sizes import TaskSizes, Unit
from t5mix.mixing.temperature import Temperature

_CURVE_POINTS = 65
_LARGEST_TEMPERATURE = 100.0


@dataclasses.dataclass(frozen=True)
class MixtureData:
    """What a run draws from, and into what.

    Attributes:
        manifest: its data.
        shape: of its batches.
        unit: what sizes and proportions count.
        seed: of its data stream.
    """

    manifest: DataManifest
    shape: BatchShape
    unit: Unit = "examples"
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class TaskForecast:
    """What one task is expected to get.

    Attributes:
        name: the task.
        size: training examples.
        rate: the strategy's unnormalised rate; None if it has none.
        proportion: share of the examples, the mean over the run.
        first: share of the examples at the first step.
        last: share of the examples at the last step.
        examples: expected over the run.
        tokens: inputs and targets together.
        epochs: passes over the task's data.
        truncated: share of its examples whose inputs or targets are cut.
    """

    name: str
    size: int
    rate: float | None
    proportion: float
    first: float
    last: float
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
        changes: whether the proportions change over the run without any feedback.
        adaptive: whether losses would move them: they are forecast without.
    """

    tasks: tuple[TaskForecast, ...]
    steps: int
    planned_steps: int
    examples_per_step: float
    inputs_filled: float
    targets_filled: float
    changes: bool
    adaptive: bool


@dataclasses.dataclass(frozen=True)
class Curve:
    """Proportions as one setting of a strategy varies.

    Attributes:
        setting: its values; [G].
        proportions: share of the examples of each task at each value; [G, N].
    """

    setting: np.ndarray
    proportions: np.ndarray


@dataclasses.dataclass(frozen=True)
class StrategyComparison:
    """Several strategies on one mixture.

    Attributes:
        forecasts: by the name that the strategy goes by.
        by_temperature: temperature-scaled mixing without a limit, T from 1 to 100, and infinity: equal mixing.
        by_max_examples: examples-proportional mixing, K from the smallest size to the largest.
    """

    forecasts: Mapping[str, Forecast]
    by_temperature: Curve
    by_max_examples: Curve


def compare_strategies(data: MixtureData, strategies: Mapping[str, MixingStrategy], steps: int) -> StrategyComparison:
    """Forecasts several strategies on the same data; see `forecast`."""
    task_sizes = read_task_sizes(data.manifest, Proportional(), data.unit)
    sizes = list(task_sizes.sizes.values())
    temperatures = np.append(np.geomspace(1.0, _LARGEST_TEMPERATURE, _CURVE_POINTS), np.inf)
    between = np.geomspace(min(sizes), max(sizes), _CURVE_POINTS).round().astype(int)
    limits = np.unique([*between, *sizes])  # at a task's size its curve has a kink
    return StrategyComparison(
        forecasts={name: forecast(data, strategy, steps) for name, strategy in strategies.items()},
        by_temperature=_curve(task_sizes, temperatures, [Temperature(temperature=t) for t in temperatures.tolist()]),
        by_max_examples=_curve(task_sizes, limits, [Proportional(max_examples=k) for k in limits.tolist()]),
    )


def forecast(data: MixtureData, strategy: MixingStrategy, steps: int) -> Forecast:
    """Packs the first batches that a strategy draws, and extrapolates.

    An adaptive strategy is forecast without feedback: as it would go on if it never learned a loss.

    Args:
        data: what there is to draw.
        strategy: how it is drawn.
        steps: of the run, 1 or more.
    """
    task_sizes = read_task_sizes(data.manifest, strategy, data.unit)
    expected = estimate_budget(data.manifest, strategy, task_sizes, data.shape, steps=steps, seed=data.seed)
    packing, over_run = expected.packing, expected.over_run
    rates = strategy.rates(task_sizes.sizes) if isinstance(strategy, StaticStrategy) else {}
    return Forecast(
        tasks=tuple(
            _task(task, rates.get(task.name), over_run[:, i], packing.examples * steps)
            for i, task in enumerate(data.manifest.tasks)
        ),
        steps=steps,
        planned_steps=packing.batches,
        examples_per_step=packing.examples,
        inputs_filled=packing.inputs_filled,
        targets_filled=packing.targets_filled,
        changes=bool(np.ptp(over_run, axis=0).max() > 0),
        adaptive=_is_adaptive(strategy, task_sizes, expected.budget),
    )


def label(strategy: MixingStrategy) -> str:
    """Returns a strategy's kind and settings, those at their defaults left out, as `--mixing` takes them."""
    kind, *settings = _choice(strategy)
    return ":".join([kind[1], ",".join(f"{key}={value}" for key, value in settings)]) if settings else kind[1]


def _choice(strategy: MixingStrategy) -> list[tuple[str, str]]:
    fields = [field for field in dataclasses.fields(strategy) if getattr(strategy, field.name) != field.default]  # type: ignore[arg-type]
    return [
        ("kind", STRATEGIES.kind_of(strategy)),
        *((field.name, _written(getattr(strategy, field.name))) for field in fields),
    ]


def _written(value: Any) -> str:
    if isinstance(value, MixingStrategy):
        return "{" + ",".join(f"{key}:{setting}" for key, setting in _choice(value)) + "}"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_written(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, tuple | list):
        return "[" + ",".join(map(_written, value)) + "]"
    return "null" if value is None else str(value)


def _curve(task_sizes: TaskSizes, setting: np.ndarray, strategies: list[StaticStrategy]) -> Curve:
    proportions = [
        task_sizes.example_proportions(normalized(strategy.rates(task_sizes.sizes))) for strategy in strategies
    ]
    return Curve(setting, np.stack(proportions))


def _is_adaptive(strategy: MixingStrategy, task_sizes: TaskSizes, budget: MixingBudget) -> bool:
    """Says whether losses that differ from task to task would change the proportions at any moment."""
    state = strategy.init(task_sizes.sizes, budget)
    share = 1 / len(task_sizes.sizes)
    losses = {  # no amount: a cap on epochs counts what was drawn, which is no feedback of this kind
        name: TaskFeedback(i + 1.0, 1.0, 1, amount=0.0, proportion=share, excess_sum=0.0)
        for i, name in enumerate(task_sizes.sizes)
    }
    observed = strategy.observe(state, losses)
    return any(
        strategy.proportions(observed, step) != strategy.proportions(state, step) for step in sample_steps(budget.steps)
    )


def _task(task: TaskEntry, rate: float | None, over_run: np.ndarray, examples: float) -> TaskForecast:
    counts = task.splits["train"].counts
    size, proportion = counts.examples, float(over_run.mean())
    expected = proportion * examples
    mean_tokens = (counts.input_tokens + counts.target_tokens) / counts.examples
    return TaskForecast(
        name=task.name,
        size=size,
        rate=rate,
        proportion=proportion,
        first=float(over_run[0]),
        last=float(over_run[-1]),
        examples=expected,
        tokens=expected * mean_tokens,
        epochs=expected / size,
        truncated=max(counts.truncated_inputs, counts.truncated_targets) / counts.examples,
    )
