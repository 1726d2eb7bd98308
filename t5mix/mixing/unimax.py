"""UniMax: as equal as can be while no task is repeated too often."""

import math
from collections.abc import Mapping

from t5mix.configurable import configurable
from t5mix.mixing.base import STRATEGIES, ConstantStrategy, MixingBudget, check_sizes, normalized


@STRATEGIES.register("unimax")
@configurable
class UniMax(ConstantStrategy):
    """Shares the run's budget evenly, but no task gets more than some epochs (Chung et al. 2023).

    From the smallest task to the largest, each takes an even share of what is left of the budget B, or N epochs of its
    data if that is less: U_i = min(B_left / tasks left, N e_i); p = U / sum(U). Where the budget is larger than N
    epochs of everything, all tasks pass N epochs alike.

    Attributes:
        max_epochs: N.
        budget: B, in examples (tokens, where sizes count tokens); None for what the run is expected to draw.
    """

    max_epochs: float = 4.0
    budget: float | None = None

    def __post_init__(self) -> None:
        check_cap(self.max_epochs, self.budget)

    def init(self, sizes: Mapping[str, int], budget: MixingBudget) -> dict[str, float]:
        """Returns the proportions.

        Raises:
            T5MixError: there is no task, or one has no examples.
        """
        check_sizes(sizes)
        left = budget.amount if self.budget is None else self.budget
        shares: dict[str, float] = {}
        for position, name in enumerate(sorted(sizes, key=lambda name: (sizes[name], name))):
            shares[name] = min(left / (len(sizes) - position), self.max_epochs * sizes[name])
            left -= shares[name]
        return normalized({name: shares[name] for name in sizes})


def check_cap(max_epochs: float, budget: float | None) -> None:
    """Refuses impossible caps.

    Raises:
        ValueError: one of the two is not a positive number.
    """
    if not max_epochs > 0:
        raise ValueError(f"mixing.max_epochs is {max_epochs}: it must be greater than 0")
    if budget is not None and not (budget > 0 and math.isfinite(budget)):
        raise ValueError(f"mixing.budget is {budget}: it must be greater than 0, or null for the run's own")
