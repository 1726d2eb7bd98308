"""Banks: wherever a policy adds a module, one for each task; each position of a batch goes through its own task's."""

import dataclasses
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import jax
import jax.numpy as jnp
from flax import nnx

from t5mix.errors import T5MixError

M = TypeVar("M", bound=nnx.Module)


@dataclasses.dataclass(frozen=True)
class BankLayout:
    """The tasks whose modules a bank holds.

    Attributes:
        tasks: those that batches are made of, in the order of task ids.
        frozen_tasks: others, whose modules it holds and does not use.
        shared: whether there is also a module that every position goes through.
    """

    tasks: tuple[str, ...]
    frozen_tasks: tuple[str, ...] = ()
    shared: bool = False


class AdapterBank(nnx.Module, Generic[M]):
    """The task modules in one place of the model.

    They have names of their own among the parameters, `.../tasks/NAME/...` and `.../shared/...`, so that one task's can
    be trained, frozen and taken out alone. They are stacked where they are used: a batch goes through one map that is
    as wide as all task modules together, of which each position keeps its own task's share.

    Args:
        layout: the tasks.
        make: makes the module of one task.
    """

    def __init__(self, layout: BankLayout, make: Callable[[], M]):
        if not layout.tasks:
            raise T5MixError("This bank has no tasks: give their names, finetuning.tasks, in the order of task ids.")
        self.tasks = nnx.Dict({name: make() for name in (*layout.tasks, *layout.frozen_tasks)})
        self.shared = make() if layout.shared else None
        self.names = layout.tasks

    @property
    def first(self) -> M:
        """The module of the first task, for what all of them have in common."""
        return self.tasks[self.names[0]]

    def stacked(self, leaf: Callable[[Any], jax.Array]) -> jax.Array:
        """Returns one leaf of each task's module, [N, ...]."""
        return jnp.stack([leaf(self.tasks[name]) for name in self.names])

    def routes(self, task_ids: jax.Array | None) -> jax.Array:
        """Returns the task of each position, one-hot: [..., N] of task ids [...].

        Raises:
            T5MixError: there are no task ids.
        """
        if task_ids is None:
            raise T5MixError(
                f"The model has a module for each of {', '.join(self.names)}, and no task ids say which one to use."
            )
        return jax.nn.one_hot(task_ids, len(self.names), dtype=jnp.float32)
