"""Discriminative learning rates: lower layers, or chosen ones, learn at another rate (Howard and Ruder 2018)."""

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from t5mix.configurable import configurable
from t5mix.finetuning.base import POLICIES, FineTuningPolicy, RunShape
from t5mix.finetuning.full import Full
from t5mix.finetuning.paths import block_position

if TYPE_CHECKING:
    from t5mix.finetuning.per_task import PerTask


@POLICIES.register("discriminative")
@configurable
class Discriminative(FineTuningPolicy):
    """Any policy, with learning rates that fall from the top of the stacks down, or that differ by pattern.

    Attributes:
        policy: what trains.
        decay: what the rate is divided by with each block on the way down, 2.6 in the paper. The embeddings are one
            further down than the lowest block of the deeper stack; final norms and an output matrix learn at the full
            rate. 1 for none.
        scales: pairs of a pattern for whole paths and a factor on the rate; of a path that several match, the product.
    """

    policy: FineTuningPolicy = Full()
    decay: float = 2.6
    scales: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        if not (math.isfinite(self.decay) and self.decay >= 1):
            raise ValueError(f"finetuning.decay is {self.decay}: it must be 1 or more")
        for pattern, scale in self.scales:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"finetuning.scales: {pattern!r} is no regular expression: {error}") from error
            if not (math.isfinite(scale) and scale > 0):
                raise ValueError(
                    f"finetuning.scales gives {pattern!r} the factor {scale}: it must be above 0. To freeze parameters "
                    "use a policy that does, such as pattern"
                )

    @property
    def patterns(self) -> tuple[str, ...]:
        """All patterns; each must match something."""
        return (*self.policy.patterns, *(pattern for pattern, _ in self.scales))

    @property
    def prompt_length(self) -> int:
        """The policy's own."""
        return self.policy.prompt_length

    @property
    def bank(self) -> "PerTask | None":
        """The policy's own."""
        return self.policy.bank

    def for_tasks(self, tasks: Sequence[str], previous: FineTuningPolicy | None) -> "Discriminative":
        """Returns the rates around the policy for those tasks."""
        inner = previous.policy if isinstance(previous, Discriminative) else previous
        return dataclasses.replace(self, policy=self.policy.for_tasks(tasks, inner))

    def adapt(self, model: Any, rngs: Any) -> Any:
        """Returns what the policy makes of the model."""
        return self.policy.adapt(model, rngs)

    def unfreeze_step(self, path: str, run: RunShape) -> int | None:
        """Returns the policy's answer."""
        return self.policy.unfreeze_step(path, run)

    def learning_rate_scale(self, path: str, run: RunShape) -> float:
        """Returns the policy's answer times the factors of the layer and of the patterns."""
        scale = self.policy.learning_rate_scale(path, run) * self.decay ** -_blocks_above(path, run)
        return scale * math.prod(factor for pattern, factor in self.scales if re.fullmatch(pattern, path))

    def merged(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Returns what the policy merges."""
        return self.policy.merged(params)


def _blocks_above(path: str, run: RunShape) -> int:
    """Returns how many steps down from the top of its stack a parameter is."""
    depths = {"encoder": run.model.num_layers, "decoder": run.model.num_decoder_layers}
    position = block_position(path)
    if position is not None:
        return depths[position.stack] - 1 - position.block
    lowest = path.startswith(("token_embedding/embedding", "prompt/")) or "relative_bias" in path
    return max(depths.values()) if lowest else 0
