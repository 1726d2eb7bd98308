"""Learning rates over the steps of a run, registered under a short kind."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from t5mix.configurable import configurable
from t5mix.registry import Registry

LearningRate = Callable[[Any], Any]
"""Step (updates completed, from 0), an integer or a traced array -> learning rate."""


class Schedule(ABC):
    """A frozen dataclass that gives the learning rate of a run of known length."""

    @abstractmethod
    def build(self, steps: int) -> LearningRate:
        """Returns the learning rate as a function of the step."""


SCHEDULES: Registry[Schedule] = Registry("schedule", base=Schedule)


@SCHEDULES.register("constant")
@configurable
class Constant(Schedule):
    """A constant, T5's choice for fine-tuning.

    Attributes:
        learning_rate: the constant.
        warmup_steps: steps of linear warm-up from zero.
    """

    learning_rate: float = 1e-3
    warmup_steps: int = 0

    def __post_init__(self) -> None:
        _check(self.learning_rate, self.warmup_steps)

    def build(self, steps: int) -> LearningRate:
        """Returns the constant, after the warm-up."""
        return lambda step: self.learning_rate * _warmup(step, self.warmup_steps)


@SCHEDULES.register("rsqrt")
@configurable
class ReciprocalSquareRoot(Schedule):
    """learning_rate / sqrt(max(n, hold_steps)), T5's choice for pre-training.

    Attributes:
        learning_rate: the numerator; with 1.0 and 10,000 held steps the rate starts at 0.01.
        hold_steps: steps during which the rate stays at its first value.
        warmup_steps: steps of linear warm-up from zero, on top.
    """

    learning_rate: float = 1.0
    hold_steps: int = 10_000
    warmup_steps: int = 0

    def __post_init__(self) -> None:
        _check(self.learning_rate, self.warmup_steps)
        if self.hold_steps < 1:
            raise ValueError(f"schedule.hold_steps is {self.hold_steps}: it must be 1 or more")

    def build(self, steps: int) -> LearningRate:
        """Returns the decaying rate."""

        def rate(step: jax.Array) -> jax.Array:
            held = jnp.maximum(step, self.hold_steps).astype(jnp.float32)
            return self.learning_rate * jax.lax.rsqrt(held) * _warmup(step, self.warmup_steps)

        return rate


@configurable
class _Decay(Schedule):
    """From the peak to the end over the run.

    Attributes:
        learning_rate: the peak, reached at the end of the warm-up.
        end_value: the rate at the last step.
        warmup_steps: steps of linear warm-up from zero.
    """

    learning_rate: float = 1e-3
    end_value: float = 0.0
    warmup_steps: int = 0

    def __post_init__(self) -> None:
        _check(self.learning_rate, self.warmup_steps)
        if not 0 <= self.end_value <= self.learning_rate:
            raise ValueError(f"schedule.end_value is {self.end_value}: it must be between 0 and schedule.learning_rate")

    @abstractmethod
    def left(self, done: jax.Array) -> jax.Array:
        """Returns how much of the way down is still ahead when a share `done` of the steps lies behind."""

    def build(self, steps: int) -> LearningRate:
        """Returns the decaying rate."""

        def rate(step: jax.Array) -> jax.Array:
            left = self.left(_share_done(step, self.warmup_steps, steps))
            return (self.end_value + (self.learning_rate - self.end_value) * left) * _warmup(step, self.warmup_steps)

        return rate


@SCHEDULES.register("linear")
@configurable
class Linear(_Decay):
    """A straight line from the peak to the end; the attributes are those of all decays."""

    def left(self, done: jax.Array) -> jax.Array:
        """Returns 1 - done."""
        return 1 - done


@SCHEDULES.register("cosine")
@configurable
class Cosine(_Decay):
    """Half a cosine from the peak to the end; the attributes are those of all decays."""

    def left(self, done: jax.Array) -> jax.Array:
        """Returns (1 + cos(pi done)) / 2."""
        return 0.5 * (1 + jnp.cos(jnp.pi * done))


def _warmup(step: jax.Array, warmup_steps: int) -> jax.Array:
    """Returns the factor of a linear warm-up: the first update already moves."""
    return jnp.minimum(1.0, (jnp.asarray(step) + 1) / max(warmup_steps, 1)).astype(jnp.float32)


def _share_done(step: jax.Array, warmup_steps: int, steps: int) -> jax.Array:
    """Returns how much of the decay lies behind: 0 at the end of the warm-up, 1 at the end of the run."""
    return jnp.clip((jnp.asarray(step) - warmup_steps) / max(steps - warmup_steps, 1), 0.0, 1.0)


def _check(learning_rate: float, warmup_steps: int) -> None:
    if not 0 < learning_rate < float("inf"):
        raise ValueError(f"schedule.learning_rate is {learning_rate}: it must be a positive number")
    if warmup_steps < 0:
        raise ValueError(f"schedule.warmup_steps is {warmup_steps}: it cannot be negative")
