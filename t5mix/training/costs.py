"""What training costs: parameters, optimizer state, and the work and memory of a step, phase by phase."""

import dataclasses
import itertools
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from t5mix.checkpoint.writer import size_of
from t5mix.data.batch import array_shapes
from t5mix.data.packing import BatchShape
from t5mix.training.engine import Engine


@dataclasses.dataclass(frozen=True)
class PhaseCosts:
    """What one phase costs.

    Attributes:
        start: the step at which it begins.
        trained: number of parameters that train.
        gradient_bytes: of the gradients.
        optimizer_bytes: of the optimizer's state.
        flops: floating-point operations of one step, as the compiler counts them.
        temporary_bytes: what the compiled step needs besides its state: activations above all; None if not compiled.
    """

    start: int
    trained: int
    gradient_bytes: int
    optimizer_bytes: int
    flops: float
    temporary_bytes: int | None

    def memory(self, parameter_bytes: int) -> int:
        """Returns the bytes of parameters, gradients, optimizer state and, where known, activations.

        With its temporary memory known the gradients are part of that.
        """
        rest = self.gradient_bytes if self.temporary_bytes is None else self.temporary_bytes
        return parameter_bytes + self.optimizer_bytes + rest


@dataclasses.dataclass(frozen=True)
class Costs:
    """What training costs.

    Attributes:
        parameters: number of parameters of the adapted model.
        parameter_bytes: what they take.
        phases: in their order.
    """

    parameters: int
    parameter_bytes: int
    phases: tuple[PhaseCosts, ...]


def costs_of(engine: Engine, shape: BatchShape, *, compiled: bool = False) -> Costs:
    """Returns what training with an engine costs on batches of a shape; allocates nothing.

    Args:
        engine: for the model and what of it trains.
        shape: of the batch.
        compiled: whether to compile the steps too, which takes longer and tells their temporary memory; the operations
            are then those that the compiler leaves.
    """
    phases = []
    for phase, start in enumerate(engine.phases.starts):
        like = engine.like(start)
        step = engine.lower(phase, abstract_batch(shape))
        temporary = None
        if compiled:
            step = step.compile()
            temporary = int(step.memory_analysis().temp_size_in_bytes)
        phases.append(
            PhaseCosts(
                start=start,
                trained=sum(leaf.size for leaf in like.trained.values()),
                gradient_bytes=size_of(like.trained),
                optimizer_bytes=size_of(like.optimizer),
                flops=float(_properties(step.cost_analysis())["flops"]),
                temporary_bytes=temporary,
            )
        )
    return Costs(engine.num_parameters, size_of(engine.params), tuple(phases))


def abstract_batch(shape: BatchShape) -> dict[str, Any]:
    """Returns the shapes and types of a batch's arrays (`t5mix.data.batch.Batch`)."""
    return {name: jax.ShapeDtypeStruct(size, np.int32) for name, size in array_shapes(shape).items()}


def _properties(analysis: Any) -> Mapping[str, float]:
    """Returns a cost analysis, which some versions of JAX wrap in a list."""
    return analysis[0] if isinstance(analysis, list) else analysis


class ModuleRow(NamedTuple):
    """A module, or several neighbouring blocks that are alike.

    Attributes:
        name: its path, as in `encoder/blocks/0-11`.
        parameters: how many it has.
        trained: how many of them train, for each phase.
    """

    name: str
    parameters: int
    trained: tuple[int, ...]


def modules(engine: Engine) -> list[ModuleRow]:
    """Returns the modules of an engine's model, in the order in which data passes them."""
    phases = range(len(engine.phases.starts))
    trained = [set(engine.phases.trained(phase)) for phase in phases]
    rows: dict[str, ModuleRow] = {}
    for path, leaf in engine.params.items():
        name = _module_of(path)
        old = rows.get(name, ModuleRow(name, 0, (0,) * len(phases)))
        counts = tuple(old.trained[i] + (leaf.size if path in trained[i] else 0) for i in phases)
        rows[name] = ModuleRow(name, old.parameters + leaf.size, counts)
    ordered = sorted(rows.values(), key=_order)
    alike = itertools.groupby(ordered, key=lambda row: (row.name.rpartition("/")[0], *row[1:]))
    return [_joined(list(group)) for _, group in alike]


def _module_of(path: str) -> str:
    """Returns the block a parameter is in, or else the module."""
    block = re.match(r"(encoder|decoder)/blocks/\d+", path)
    return block[0] if block else path.rpartition("/")[0]


def _order(row: ModuleRow) -> tuple[Any, ...]:
    stages = ("token_embedding", "prompt", "encoder", "decoder", "output")
    first, _, rest = row.name.partition("/")
    block = re.match(r"blocks/(\d+)", rest)
    stage = stages.index(first) if first in stages else len(stages)
    return stage, 1 if block else 2 * (rest == "final_norm"), int(block[1]) if block else 0, rest


def _joined(rows: Iterable[ModuleRow]) -> ModuleRow:
    """Returns one row for neighbouring blocks that have the same numbers."""
    first, *others = rows
    if not others:
        return first
    last = others[-1].name.rpartition("/")[2]
    count = len(others) + 1
    trained = tuple(count * number for number in first.trained)
    return ModuleRow(f"{first.name}-{last}", count * first.parameters, trained)
