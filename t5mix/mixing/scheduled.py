"""Strategies that change on a schedule: their state never does, the step alone decides."""

import bisect
import itertools
import math
from collections.abc import Mapping
from typing import Any, Literal

from t5mix.configurable import configurable
from t5mix.errors import T5MixError
from t5mix.mixing.base import (
    STRATEGIES,
    MixingBudget,
    MixingStrategy,
    TaskFeedback,
    check_sizes,
    normalized,
)
from t5mix.mixing.proportional import Proportional
from t5mix.mixing.temperature import Temperature


@STRATEGIES.register("annealed_temperature")
@configurable
class AnnealedTemperature(MixingStrategy):
    """Temperature-scaled mixing whose temperature moves from one value to another.

    r_m = min(e_m, K) ** (1 / T(step)). It is the exponent 1 / T that moves, evenly or along a half cosine, so that
    infinity (equal mixing) is a value to begin or end with; afterwards the last temperature stays.

    Attributes:
        initial_temperature: T at the first step.
        final_temperature: T at the end.
        max_examples: K in examples; None for no limit.
        shape: how the exponent moves.
        anneal_until: when the end is reached: a step, or, as a number below 1, a share of the run. 1.0 is the run's
        end.
    """

    initial_temperature: float = math.inf
    final_temperature: float = 1.0
    max_examples: int | None = None
    shape: Literal["linear", "cosine"] = "linear"
    anneal_until: int | float = 1.0

    def __post_init__(self) -> None:
        for temperature in (self.initial_temperature, self.final_temperature):
            Temperature(temperature=temperature, max_examples=self.max_examples)  # refuses what is impossible
        _check_moment("anneal_until", self.anneal_until)

    def check_steps(self, steps: int) -> None:
        """Refuses an end of the annealing that is after the run's."""
        if self.anneal_until > steps:
            raise _too_late("anneal_until", self.anneal_until, "the final temperature is not reached", steps)

    def init(self, sizes: Mapping[str, int], budget: MixingBudget) -> dict[str, Any]:
        """Returns the sizes and the step at which the last temperature is reached."""
        check_sizes(sizes)
        return {"sizes": dict(sizes), "until": _step(self.anneal_until, budget)}

    def proportions(self, state: dict[str, Any], step: int) -> dict[str, float]:
        """Returns the proportions at the temperature of the step."""
        done = min(step / state["until"], 1.0)
        if self.shape == "cosine":
            done = (1 - math.cos(math.pi * done)) / 2
        exponent = (1 - done) / self.initial_temperature + done / self.final_temperature
        temperature = 1 / exponent if exponent > 0 else math.inf
        return normalized(Temperature(temperature=temperature, max_examples=self.max_examples).rates(state["sizes"]))


@STRATEGIES.register("phases")
@configurable
class PhasedMixing(MixingStrategy):
    """One strategy after the other. All of them learn from all of the run; one at a time decides.

    Attributes:
        strategies: in the order of the phases.
        starts: when each of them begins: a step, or, as a number below 1, a share of the run. The first is 0.
    """

    strategies: tuple[MixingStrategy, ...]
    starts: tuple[int | float, ...]

    def __post_init__(self) -> None:
        if not self.strategies or len(self.strategies) != len(self.starts):
            raise ValueError(
                f"mixing.starts has {len(self.starts)} entries for {len(self.strategies)} mixing.strategies: "
                "each needs one, and there must be a strategy"
            )
        if self.starts[0] != 0:
            raise ValueError(f"mixing.starts begins with {self.starts[0]}: the first phase starts at 0")
        for start in self.starts[1:]:
            _check_moment("starts", start)
        for kind in (int, float):
            same = [start for start in self.starts[1:] if isinstance(start, kind)]
            if any(first >= second for first, second in itertools.pairwise(same)):
                raise ValueError(f"mixing.starts is {list(self.starts)}: each phase must start after the one before it")

    @property
    def named_tasks(self) -> tuple[str, ...]:
        """The tasks that the strategies name."""
        return tuple(dict.fromkeys(name for strategy in self.strategies for name in strategy.named_tasks))

    def check_steps(self, steps: int) -> None:
        """Refuses a phase that does not begin within the run, and what the strategies refuse."""
        for strategy in self.strategies:
            strategy.check_steps(steps)
        for start in self.starts:
            if _never(start, steps):
                raise _too_late("starts", start, "that phase never begins", steps)

    def init(self, sizes: Mapping[str, int], budget: MixingBudget) -> dict[str, Any]:
        """Returns the states of all strategies, and the steps at which they begin."""
        starts = [_step(start, budget) if start else 0 for start in self.starts]
        return {"starts": starts, "states": [strategy.init(sizes, budget) for strategy in self.strategies]}

    def proportions(self, state: dict[str, Any], step: int) -> dict[str, float]:
        """Returns the proportions of the phase that the step is in."""
        phase = bisect.bisect_right(state["starts"], step) - 1
        return self.strategies[phase].proportions(state["states"][phase], step)

    def observe(self, state: dict[str, Any], feedback: Mapping[str, TaskFeedback]) -> dict[str, Any]:
        """Lets every strategy observe."""
        pairs = zip(self.strategies, state["states"], strict=True)
        return {**state, "states": [strategy.observe(inner, feedback) for strategy, inner in pairs]}


@STRATEGIES.register("two_phase")
@configurable
class TwoPhase(MixingStrategy):
    """High-resource tasks first, then all of them together.

    Attributes:
        strategy: gives the proportions; in the first phase, those of the large tasks among themselves.
        large_task_fraction: what makes a task large: its size as a share of the largest one's.
        switch: when the second phase begins: a step, or, as a number below 1, a share of the run.
    """

    strategy: MixingStrategy = Proportional()
    large_task_fraction: float = 0.5
    switch: int | float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.large_task_fraction <= 1:
            raise ValueError(
                f"mixing.large_task_fraction is {self.large_task_fraction}: it is a share of the largest task, above "
                "0 and at most 1"
            )
        _check_moment("switch", self.switch)

    @property
    def named_tasks(self) -> tuple[str, ...]:
        """The tasks that the strategy names."""
        return self.strategy.named_tasks

    def check_steps(self, steps: int) -> None:
        """Refuses a switch that is not within the run, and what the strategy refuses."""
        self.strategy.check_steps(steps)
        if _never(self.switch, steps):
            raise _too_late("switch", self.switch, "the second phase never begins", steps)

    def init(self, sizes: Mapping[str, int], budget: MixingBudget) -> dict[str, Any]:
        """Returns the strategy's state, the large tasks, and the step of the switch."""
        check_sizes(sizes)
        bar = self.large_task_fraction * max(sizes.values())
        return {
            "strategy": self.strategy.init(sizes, budget),
            "large": [name for name, size in sizes.items() if size >= bar],
            "switch": _step(self.switch, budget),
        }

    def proportions(self, state: dict[str, Any], step: int) -> dict[str, float]:
        """Returns the strategy's proportions, in the first phase zero for small tasks."""
        proportions = self.strategy.proportions(state["strategy"], step)
        if step >= state["switch"]:
            return proportions
        large = {name: proportion if name in state["large"] else 0.0 for name, proportion in proportions.items()}
        return normalized(large) if any(large.values()) else proportions

    def observe(self, state: dict[str, Any], feedback: Mapping[str, TaskFeedback]) -> dict[str, Any]:
        """Lets the strategy observe."""
        return {**state, "strategy": self.strategy.observe(state["strategy"], feedback)}


def _check_moment(name: str, moment: int | float) -> None:
    share = isinstance(moment, float)
    if not moment > 0 or (share and moment > 1):
        raise ValueError(
            f"mixing.{name} is {moment}: give a step (a whole number from 1), or a share of the run (at most 1.0)"
        )


def _never(start: int | float, steps: int) -> bool:
    """Whether nothing is left of a run at a moment, which is a step or a share of it."""
    return start >= (1.0 if isinstance(start, float) else steps)


def _too_late(name: str, moment: int | float, consequence: str, steps: int) -> T5MixError:
    return T5MixError(
        f"mixing.{name} is {moment:,}, and the run has {steps:,} steps (training.steps): {consequence}. Give a step "
        "within the run, or a share of it, such as 0.5."
    )


def _step(moment: int | float, budget: MixingBudget) -> int:
    return max(round(moment * budget.steps), 1) if isinstance(moment, float) else moment
