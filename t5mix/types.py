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
    cls.__pydantic_config__ = {"extra": "forbid"}  # type: ignore[attr-defined]
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
class TaskFeedback:
    """What one training step says about one task.

    Attributes:
        loss_sum: cross-entropy summed over the task's loss tokens, in nats.
        tokens: the number of those loss tokens.
        examples: the number of the task's examples in the batch.
    """

    loss_sum: float
    tokens: float
    examples: int
