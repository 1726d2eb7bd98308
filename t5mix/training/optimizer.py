"""Optimizers, registered under a short kind; optax does the work."""

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import jax
import optax

from t5mix.configurable import configurable
from t5mix.registry import Registry
from t5mix.training.schedule import LearningRate


class Optimizer(ABC):
    """A frozen dataclass that gives an optax transformation."""

    @abstractmethod
    def build(self, learning_rate: LearningRate) -> optax.GradientTransformation:
        """Returns the transformation from gradients to updates."""


OPTIMIZERS: Registry[Optimizer] = Registry("optimizer", base=Optimizer)


@OPTIMIZERS.register("adafactor")
@configurable
class Adafactor(Optimizer):
    """Adafactor (Shazeer & Stern 2018) with T5's settings: factored, no momentum, relative step sizes.

    Attributes:
        decay_rate: exponent of the second-moment decay, 1 - t ** -decay_rate.
        clipping_threshold: largest root mean square of an update.
        epsilon: added to squared gradients.
        multiply_by_parameter_scale: multiply the step by the parameter's root mean square, at least 1e-3.
        min_dim_size_to_factor: smaller matrices keep a full second moment.
    """

    decay_rate: float = 0.8
    clipping_threshold: float = 1.0
    epsilon: float = 1e-30
    multiply_by_parameter_scale: bool = True
    min_dim_size_to_factor: int = 128

    def __post_init__(self) -> None:
        if not 0 < self.decay_rate <= 1:
            raise ValueError(f"optimizer.decay_rate is {self.decay_rate}: it must be above 0, and 1 or less")
        _check_positive(clipping_threshold=self.clipping_threshold, epsilon=self.epsilon)
        if self.min_dim_size_to_factor < 1:
            raise ValueError(f"optimizer.min_dim_size_to_factor is {self.min_dim_size_to_factor}: it must be 1 or more")

    def build(self, learning_rate: LearningRate) -> optax.GradientTransformation:
        """Returns the transformation from gradients to updates."""
        return optax.adafactor(
            learning_rate,
            decay_rate=self.decay_rate,
            clipping_threshold=self.clipping_threshold,
            eps=self.epsilon,
            multiply_by_parameter_scale=self.multiply_by_parameter_scale,
            min_dim_size_to_factor=self.min_dim_size_to_factor,
        )


@OPTIMIZERS.register("adamw")
@configurable
class AdamW(Optimizer):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019), which spares vectors (the layer norms).

    Attributes:
        beta1: decay of the first moment.
        beta2: decay of the second moment.
        epsilon: added to the root of the second moment.
        weight_decay: times the learning rate.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"optimizer.{name} is {getattr(self, name)}: it must be in [0, 1)")
        _check_positive(epsilon=self.epsilon)
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"optimizer.weight_decay is {self.weight_decay}: it must be 0 or more, and finite")

    def build(self, learning_rate: LearningRate) -> optax.GradientTransformation:
        """Returns the transformation from gradients to updates."""
        return optax.adamw(
            learning_rate,
            b1=self.beta1,
            b2=self.beta2,
            eps=self.epsilon,
            weight_decay=self.weight_decay,
            mask=_matrices,
        )


def _check_positive(**settings: float) -> None:
    for name, value in settings.items():
        if not 0 < value < math.inf:
            raise ValueError(f"optimizer.{name} is {value}: it must be positive and finite")


def _matrices(params: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf.ndim > 1, params)


def per_group_optimizer(
    optimizers: Sequence[optax.GradientTransformation], groups: Sequence[Collection[str]]
) -> optax.GradientTransformation:
    """Returns the transformation in which each group of parameters, by path, has an optimizer of its own.

    Its state is the tuple of theirs.
    """

    def init(params: Any) -> Any:
        pairs = zip(optimizers, groups, strict=True)
        return tuple(optimizer.init(_only(params, group)) for optimizer, group in pairs)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        new_updates: dict[str, Any] = {}
        new_state = []
        for optimizer, group, group_state in zip(optimizers, groups, state, strict=True):
            group_updates: Any
            group_updates, group_state = optimizer.update(_only(updates, group), group_state, _only(params, group))
            new_updates |= group_updates
            new_state.append(group_state)
        return new_updates, tuple(new_state)

    return optax.GradientTransformation(init, update)


def offset_schedule(learning_rate: LearningRate, start: int) -> LearningRate:
    """Returns the learning rate as an optimizer sees it that begins to count at step `start`."""
    return learning_rate if start == 0 else lambda count: learning_rate(count + start)


def with_lr_multipliers(
    optimizer: optax.GradientTransformation, scales: Mapping[str, float]
) -> optax.GradientTransformation:
    """Returns an optimizer whose update of each parameter, by path, is scaled."""
    if all(scale == 1 for scale in scales.values()):
        return optimizer

    def scale(updates: Any, params: Any) -> Any:
        return {path: scales[path] * leaf for path, leaf in updates.items()}

    return optax.chain(optimizer, optax.stateless(scale))


def _only(tree: Mapping[str, Any], paths: Collection[str]) -> dict[str, Any]:
    return {path: tree[path] for path in paths}
