"""The device mesh and what lies where on it: batches over both axes, parameters over `fsdp` by path."""

import itertools
import re
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from t5mix.configurable import configurable
from t5mix.errors import T5MixError

RULES: tuple[tuple[str, PartitionSpec], ...] = (
    (r".*/relative_bias/.*", PartitionSpec()),
    (r".*/(output|wo)/kernel", PartitionSpec(None, "fsdp")),
    (r".*/kernel", PartitionSpec("fsdp", None)),
    (r"token_embedding/embedding", PartitionSpec("fsdp", None)),
)
"""The first pattern that matches a parameter's whole path decides; without one it is replicated."""

BATCH = PartitionSpec(("data", "fsdp"))


@configurable
class MeshConfig:
    """The devices of a run.

    Attributes:
        data: ways in which batches alone are split; -1 for all devices that `fsdp` leaves.
        fsdp: ways in which parameters, optimizer state and batches are split.
    """

    data: int = 1
    fsdp: int = 1

    def __post_init__(self) -> None:
        if self.fsdp < 1 or (self.data < 1 and self.data != -1):
            raise ValueError(f"mesh is data={self.data}, fsdp={self.fsdp}: both must be 1 or more (data may be -1)")

    def build(self, rows: int) -> Mesh:
        """Returns the mesh.

        Args:
            rows: of each microbatch, which the devices must divide.

        Raises:
            T5MixError: there are fewer devices than asked for, or they do not divide the rows; with several processes,
                there are more, so that one of them might have no part.
        """
        devices = jax.devices()
        data = len(devices) // self.fsdp if self.data == -1 else self.data
        count = data * self.fsdp
        if not 0 < count <= len(devices):
            raise T5MixError(
                f"mesh.data = {self.data} and mesh.fsdp = {self.fsdp} ask for {max(count, self.fsdp)} devices, "
                f"and there are {len(devices)} ({devices[0].platform})."
            )
        if jax.process_count() > 1:
            if count < len(devices):
                raise T5MixError(
                    f"mesh.data = {self.data} and mesh.fsdp = {self.fsdp} use {count} of the {len(devices)} devices of "
                    f"{jax.process_count()} processes. Set mesh.data=-1 to use all."
                )
            devices = sorted(devices, key=lambda device: device.process_index)  # each process's rows lie together
        if rows % count:
            raise T5MixError(
                f"The {rows} rows of a batch (training.batch_size / training.gradient_accumulation_steps) cannot be "
                f"split over {count} devices. Make training.batch_size a multiple of {count} x "
                "training.gradient_accumulation_steps."
            )
        grid = np.asarray(devices[:count]).reshape(data, self.fsdp)
        return Mesh(grid, ("data", "fsdp"), axis_types=(AxisType.Auto,) * 2)


def local_rows(batch: NamedSharding, rows: int) -> slice:
    """Returns the rows of a batch that lie on this process's devices.

    Args:
        batch: how batches lie.
        rows: of the global batch.

    Raises:
        T5MixError: they do not lie together.
    """
    indices = batch.addressable_devices_indices_map((rows,)).values()
    blocks = sorted({index[0].indices(rows)[:2] for index in indices if index is not None})
    if any(end != begin for (_, end), (begin, _) in itertools.pairwise(blocks)):
        raise T5MixError(
            f"Process {jax.process_index()} has the rows {', '.join(f'{a} to {b - 1}' for a, b in blocks)} of a batch: "
            "they must lie together. Order the devices of the mesh by process."
        )
    return slice(blocks[0][0], blocks[-1][1])


def param_shardings(shapes: Mapping[str, Any], mesh: Mesh) -> dict[str, NamedSharding]:
    """Returns where each parameter lies; a dimension that its axis does not divide is not split."""
    return {path: NamedSharding(mesh, _spec(path, leaf.shape, mesh)) for path, leaf in shapes.items()}


def state_shardings(shapes: Any, params: Mapping[str, Any], mesh: Mesh) -> Any:
    """Returns shardings for a tree that holds leaves shaped like parameters, such as an optimizer's state.

    Args:
        shapes: a tree in which a parameter's path is the last key on the way to what belongs to it.
        params: the parameters' shapes by path.
        mesh: the mesh.
    """

    def sharding(path: tuple[Any, ...], leaf: Any) -> NamedSharding:
        names = [key.key for key in path if isinstance(key, jax.tree_util.DictKey)]
        name = names[-1] if names else ""
        if name in params and params[name].shape == leaf.shape:
            return NamedSharding(mesh, _spec(name, leaf.shape, mesh))
        return NamedSharding(mesh, PartitionSpec())

    return jax.tree_util.tree_map_with_path(sharding, shapes)


def _spec(path: str, shape: tuple[int, ...], mesh: Mesh) -> PartitionSpec:
    spec = next((spec for pattern, spec in RULES if re.fullmatch(pattern, path)), PartitionSpec())
    fits = all(axis is None or size % mesh.shape[axis] == 0 for size, axis in zip(shape, spec, strict=False))
    return spec if fits else PartitionSpec()
