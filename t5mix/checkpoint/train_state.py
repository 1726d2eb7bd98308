"""The state that a step turns into the next one."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

Params = dict[str, jax.Array]


class TrainState(NamedTuple):
    """Everything on the devices that changes, or could, while a model trains.

    Attributes:
        step: updates completed since the starting checkpoint, int32 [].
        trained: the parameters that are trained, by path.
        frozen: the others. They have no gradient and no optimizer state.
        optimizer: optax's state for the trained ones.
    """

    step: jax.Array
    trained: Params
    frozen: Params
    optimizer: Any

    @property
    def params(self) -> Params:
        """All parameters by path."""
        return {**self.trained, **self.frozen}


def new_state(trained: Params, frozen: Params, optimizer: optax.GradientTransformation) -> TrainState:
    """Returns the state before the first step."""
    return TrainState(jnp.zeros((), jnp.int32), trained, frozen, optimizer.init(trained))
