"""A cap on epochs, around any strategy."""

import math
from collections.abc import Mapping
from typing import Any

from t5mix.configurable import configurable
from t5mix.mixing.base import STRATEGIES, MixingBudget, MixingStrategy, TaskFeedback, normalized
from t5mix.mixing.proportional import Proportional
from t5mix.mixing.unimax import check_cap


@STRATEGIES.register("capped")
@configurable
class Capped(MixingStrategy):
    """Lets no task pass N epochs: what a strategy gives it beyond that goes to the others.

    At every step a task may have at most the share of the rest of the run that brings it to N epochs; the excess is
    spread over the other tasks in the strategy's own proportions until nobody is above (water-filling).
    What was really drawn counts, so a static strategy keeps its capped proportions, and an adaptive one may spend a
    task's epochs early. Where even N epochs of everything are less than the run draws, all tasks pass N epochs alike.

    Attributes:
        strategy: what is capped.
        max_epochs: N.
        budget: how much the run draws, in examples (tokens, where sizes count tokens); None for what is expected.
    """

    strategy: MixingStrategy = Proportional()
    max_epochs: float = 4.0
    budget: float | None = None

    def __post_init__(self) -> None:
        check_cap(self.max_epochs, self.budget)

    @property
    def named_tasks(self) -> tuple[str, ...]:
        """The tasks that the strategy names."""
        return self.strategy.named_tasks

    def check_steps(self, steps: int) -> None:
        """Refuses what the strategy refuses."""
        self.strategy.check_steps(steps)

    def init(self, sizes: Mapping[str, int], budget: MixingBudget) -> dict[str, Any]:
        """Returns the strategy's state, and what is left of the budget and of each task."""
        return {
            "strategy": self.strategy.init(sizes, budget),
            "budget": budget.amount if self.budget is None else self.budget,
            "left": {name: self.max_epochs * size for name, size in sizes.items()},
        }

    def proportions(self, state: dict[str, Any], step: int) -> dict[str, float]:
        """Returns the strategy's proportions, capped."""
        uncapped = self.strategy.proportions(state["strategy"], step)
        left = {name: max(amount, 0.0) for name, amount in state["left"].items()}
        total = math.fsum(left.values())
        if total <= 0:  # past the cap of every task, by the last draws of a run
            return uncapped
        if total <= state["budget"]:
            return normalized(left)
        return water_fill(uncapped, {name: amount / max(state["budget"], 1e-9) for name, amount in left.items()})

    def observe(self, state: dict[str, Any], feedback: Mapping[str, TaskFeedback]) -> dict[str, Any]:
        """Takes off what was drawn."""
        left = dict(state["left"])
        for name, task in feedback.items():
            left[name] -= task.amount
        return {
            "strategy": self.strategy.observe(state["strategy"], feedback),
            "budget": state["budget"] - math.fsum(task.amount for task in feedback.values()),
            "left": left,
        }


def water_fill(proportions: Mapping[str, float], caps: Mapping[str, float]) -> dict[str, float]:
    """Returns the proportions nearest to the given ones of which none is above its cap.

    What is cut off is spread over the tasks below their caps, in the given proportions, until all of it is placed.

    Args:
        proportions: what to cap, numbers that sum to one.
        caps: the most of each; together at least one.
    """
    full: dict[str, float] = {}
    while True:
        room = 1 - math.fsum(full.values())
        uncapped = {name: share for name, share in proportions.items() if name not in full}
        total = math.fsum(uncapped.values())
        if total <= 0:  # only tasks that nobody wanted are left: they take the rest as far as they may
            spare = {name: caps[name] for name in uncapped}
            spread = math.fsum(spare.values())
            rest = {name: room * cap / spread if spread > 0 else 0.0 for name, cap in spare.items()}
            break
        rest = {name: room * proportion / total for name, proportion in uncapped.items()}
        over = [name for name, proportion in rest.items() if proportion > caps[name]]
        if not over:
            break
        full |= {name: caps[name] for name in over}
    return normalized({name: full[name] if name in full else rest[name] for name in proportions})
