"""The few types that every floor shares."""

import dataclasses
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def config(cls: type[T]) -> type[T]:
    """Makes a class a frozen, keyword-only dataclass that refuses unknown keys when read from configuration.

    The object that is configured is the object that is used: there is no mirror class. The validator
    (pydantic, in `t5mix.experiment`) reads `__pydantic_config__`; nothing here needs pydantic.
    """
    cls.__pydantic_config__ = {"extra": "forbid", "arbitrary_types_allowed": True}  # type: ignore[attr-defined]
    return dataclasses.dataclass(frozen=True, kw_only=True)(cls)


@dataclasses.dataclass(frozen=True)
class RunShape:
    """All that a fine-tuning policy's schedule may depend on.

    Attributes:
        steps: number of updates in the run, counted from its starting checkpoint.
        model: the model's configuration (`t5mix.model.config.T5Config`), for the depth of each stack.
    """

    steps: int
    model: Any


@dataclasses.dataclass(frozen=True)
class MixingBudget:
    """How long the run is that a mixing strategy is for.

    Attributes:
        steps: number of updates in the run.
        amount: how much the run is expected to draw from all tasks together, in the unit of the sizes: examples, or
            tokens.
    """

    steps: int
    amount: float


@dataclasses.dataclass(frozen=True)
class TaskFeedback:
    """What one training step says about one task.

    Attributes:
        loss_sum: cross-entropy summed over the task's loss tokens, in nats.
        tokens: the number of those loss tokens.
        examples: the number of the task's examples in the batch.
        amount: what the batch holds of the task in the unit of the sizes: examples, or tokens.
        weight: the task's proportion in force at the step.
        excess_sum: by how much the loss exceeds a reference model's, max(l - l_ref, 0), summed over the loss tokens;
            None in a run without a reference model.
    """

    loss_sum: float
    tokens: float
    examples: int
    amount: float = 0.0
    weight: float = 0.0
    excess_sum: float | None = None
