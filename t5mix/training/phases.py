"""The phases of a run: stretches of steps in which the same parameters train, as a policy's answers divide it."""

import bisect
import dataclasses
from collections.abc import Iterable, Mapping
from typing import TypeVar

from t5mix.console import wording
from t5mix.errors import T5MixError
from t5mix.finetuning.base import BoundPolicy, RunShape
from t5mix.finetuning.paths import match_paths

T = TypeVar("T")
_NAMED = 4  # phases that are told one by one


@dataclasses.dataclass(frozen=True)
class TrainingPhases:
    """When which parameters begin to train.

    Attributes:
        starts: the step at which each phase begins, from 0 up.
        groups: the parameters that begin to train with each phase, by path.
        frozen: those that never do.
    """

    starts: tuple[int, ...]
    groups: tuple[tuple[str, ...], ...]
    frozen: tuple[str, ...]

    def at(self, step: int) -> int:
        """Returns the phase that the update after `step` updates is in."""
        return bisect.bisect_right(self.starts, step) - 1

    def trained(self, phase: int) -> list[str]:
        """Returns the parameters that train in a phase."""
        return sorted(path for group in self.groups[: phase + 1] for path in group)

    def split(self, params: Mapping[str, T], phase: int) -> tuple[dict[str, T], dict[str, T]]:
        """Returns what trains in a phase, and the rest."""
        trained = {path: params[path] for path in self.trained(phase)}
        return trained, {path: leaf for path, leaf in params.items() if path not in trained}

    def sentence(self, sizes: Mapping[str, int]) -> str:
        """Says how many parameters train at first, and how many join them when.

        Args:
            sizes: of all parameters, by path.
        """
        total = sum(sizes.values())
        counts = [sum(sizes[path] for path in group) for group in self.groups]
        if len(counts) == 1:
            return f"Of {total:,} parameters {counts[0]:,} train ({counts[0] / total:.2%})."
        text = f"Of {total:,} parameters {counts[0]:,} train at first ({counts[0] / total:.2%})"
        joins = [f"{count:,} at step {start:,}" for start, count in zip(self.starts[1:], counts[1:], strict=True)]
        if len(joins) <= _NAMED:
            return f"{text}; further ones join: {wording.listed(joins)}."
        return f"{text}; further ones join at {len(joins)} steps from {self.starts[1]:,} to {self.starts[-1]:,}, " + (
            f"in the end {sum(counts):,} ({sum(counts) / total:.2%}) train."
        )


def divide_into_phases(paths: Iterable[str], policy: BoundPolicy, run: RunShape) -> TrainingPhases:
    """Asks a policy about every parameter.

    Raises:
        T5MixError: nothing trains from the first step on, a phase begins after the run's end, or one of the policy's
            patterns matches nothing.
    """
    paths = sorted(paths)
    match_paths(policy.patterns, paths)
    steps = {path: policy.unfreeze_step(path, run) for path in paths}
    starts = sorted({step for step in steps.values() if step is not None})
    if not starts or starts[0] != 0:
        raise T5MixError(
            f"The fine-tuning policy {policy.policy} trains no parameter of this model from the first step on."
        )
    late = [step for step in starts if step >= run.steps]
    if late:
        raise T5MixError(
            f"The fine-tuning policy {policy.policy} has phases that begin at step {late[0]}, and the run has "
            f"{run.steps} steps. Train longer, or begin the phases earlier."
        )
    groups = tuple(tuple(path for path in paths if steps[path] == start) for start in starts)
    return TrainingPhases(tuple(starts), groups, tuple(path for path in paths if steps[path] is None))
