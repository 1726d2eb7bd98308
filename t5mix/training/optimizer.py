"""Optimizers, registered under a short kind; optax does the work."""

from typing import Any, Protocol

import jax
import optax

from t5mix.registry import Registry
from t5mix.training.schedule import LearningRate
from t5mix.types import config


class Optimizer(Protocol):
    """A frozen dataclass that gives an optax transformation."""

    def build(self, learning_rate: LearningRate) -> optax.GradientTransformation:
        """Returns the transformation from gradients to updates."""
        ...


OPTIMIZERS: Registry[Optimizer] = Registry("optimizer")


@OPTIMIZERS.register("adafactor")
@config
class Adafactor:
    """Adafactor (Shazeer & Stern 2018) with T5's settings: factored, no momentum, relative step sizes.

    Attributes:
        decay_rate: exponent of the second-moment decay, 1 - t ** -decay_rate.
        clipping_threshold: largest root mean square of an update.
        epsilon: added to squared gradients.
        scale_by_parameter: multiply the step by the parameter's root mean square, at least 1e-3.
        min_dim_size_to_factor: smaller matrices keep a full second moment.
    """

    decay_rate: float = 0.8
    clipping_threshold: float = 1.0
    epsilon: float = 1e-30
    scale_by_parameter: bool = True
    min_dim_size_to_factor: int = 128

    def build(self, learning_rate: LearningRate) -> optax.GradientTransformation:
        """Returns the transformation from gradients to updates."""
        return optax.adafactor(
            learning_rate,
            decay_rate=self.decay_rate,
            clipping_threshold=self.clipping_threshold,
            eps=self.epsilon,
            multiply_by_parameter_scale=self.scale_by_parameter,
            min_dim_size_to_factor=self.min_dim_size_to_factor,
        )


@OPTIMIZERS.register("adamw")
@config
class AdamW:
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


def _matrices(params: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf.ndim > 1, params)
