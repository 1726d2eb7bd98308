"""What all processes of a run hear at the same step, without waiting for one another."""

from collections import deque

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec


class StopConsensus:
    """Lets all processes hear at the same step what one of them says, without waiting for one another.

    What is said at one step is heard `delay` steps later, when the devices have passed it on between the steps.

    Args:
        mesh: the devices.
        delay: in steps.
    """

    def __init__(self, mesh: Mesh, delay: int) -> None:
        self._delay = delay
        self._where = NamedSharding(mesh, PartitionSpec(mesh.axis_names))
        self._most = jax.jit(jnp.max, out_shardings=NamedSharding(mesh, PartitionSpec()))
        self._said: dict[int, jax.Array] = {}
        self._pending: deque[jax.Array] = deque()

    def __call__(self, number: int) -> int:
        """Says a number, 0 for nothing; called once a step.

        Returns:
            The largest number that a process said `delay` steps ago; in a run of one process, this one.
        """
        if jax.process_count() == 1:
            return number
        if number not in self._said:
            local = np.full(len(self._where.addressable_devices), number, np.int32)
            self._said[number] = jax.make_array_from_process_local_data(self._where, local, (self._where.num_devices,))
        self._pending.append(self._most(self._said[number]))
        return int(self._pending.popleft()) if len(self._pending) > self._delay else 0
