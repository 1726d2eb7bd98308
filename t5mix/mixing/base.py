"""What a mixing strategy is, and what every static one shares."""

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from t5mix.errors import T5MixError
from t5mix.registry import Registry


@dataclasses.dataclass(frozen=True)
class MixingBudget:
    """How long the run is that a mixing strategy is for.

    Attributes:
        steps: number of updates in the run.
        amount: how much the run is expected to draw from all tasks together, in the unit of the sizes: examples, or
            tokens.
    """

    steps: int
    amount: float


@dataclasses.dataclass(frozen=True)
class TaskFeedback:
    """What one training step says about one task.

    Attributes:
        loss_sum: cross-entropy summed over the task's loss tokens, in nats.
        tokens: the number of those loss tokens.
        examples: the number of the task's examples in the batch.
        amount: what the batch holds of the task in the unit of the sizes: examples, or tokens.
        proportion: the task's proportion in force at the step.
        excess_sum: by how much the loss exceeds a reference model's, max(l - l_ref, 0), summed over the loss tokens;
            None in a run without a reference model.
    """

    loss_sum: float
    tokens: float
    examples: int
    amount: float = 0.0
    proportion: float = 0.0
    excess_sum: float | None = None


class MixingStrategy(ABC):
    """A rule for the proportions in which tasks are drawn: pure functions over an explicit state.

    Subclasses are frozen dataclasses, made with `t5mix.configurable.configurable` and registered in `STRATEGIES`.
    The state must be JSON-able; it is checkpointed with the run.
    """

    @property
    def named_tasks(self) -> tuple[str, ...]:
        """The tasks that the settings name; none by default.

        They must be exactly those of the mixture, which is checked before any data is prepared.
        """
        return ()

    @property
    def reference_run(self) -> str | None:
        """The folder of a trained run by whose losses the strategy judges this run's; None if by none."""
        return None

    def check_steps(self, steps: int) -> None:
        """Refuses settings that do not fit a run of so many steps, before any data is prepared; by default none.

        Raises:
            T5MixError: something that the settings announce would never come.
        """
        return

    @abstractmethod
    def init(self, sizes: Mapping[str, int], budget: MixingBudget) -> Any:
        """Returns the state before the first step.

        Args:
            sizes: each task's training data, in examples or tokens.
            budget: how long the run is; strategies that depend on sizes alone leave it out of account.
        """

    @abstractmethod
    def proportions(self, state: Any, step: int) -> dict[str, float]:
        """Returns the proportions in force at `step`: one for each task, not negative, summing to one."""

    def loss_weights(self, state: Any, step: int) -> dict[str, float] | None:
        """Returns what each task's mean loss counts in the objective; None where all loss tokens count alike."""
        return None

    def observe(self, state: Any, feedback: Mapping[str, TaskFeedback]) -> Any:
        """Returns the state after seeing one step's losses; by default unchanged.

        Args:
            state: not to be changed in place.
            feedback: by task; those that the batch did not hold are absent.
        """
        return state

    def outcome(self, state: Any) -> dict[str, float] | None:
        """Returns the proportions that a finished run has found for the next one; None if it does not look for any."""
        return None


WEIGHTS_FILE = "mixing_weights.json"
"""Where in its folder a finished run leaves the proportions that it has found."""

STRATEGIES: Registry[MixingStrategy] = Registry("mixing strategy", base=MixingStrategy)


class ConstantStrategy(MixingStrategy):
    """A strategy that settles its proportions before the first step. The state is those proportions."""

    def proportions(self, state: dict[str, float], step: int) -> dict[str, float]:
        """Returns the proportions, the same at every step."""
        return state


class StaticStrategy(ConstantStrategy):
    """A strategy whose proportions depend on the sizes alone."""

    @abstractmethod
    def rates(self, sizes: Mapping[str, int]) -> dict[str, float]:
        """Returns each task's unnormalised rate r_m (Raffel et al. 2020, section 3.5.2)."""

    def init(self, sizes: Mapping[str, int], budget: MixingBudget) -> dict[str, float]:
        """Returns the proportions p_m = r_m / sum(r).

        Raises:
            T5MixError: there is no task, or one has no examples.
        """
        check_sizes(sizes)
        return normalized(self.rates(sizes))


def normalized(rates: Mapping[str, float]) -> dict[str, float]:
    """Returns proportions that sum to one; the largest rate may be anything above zero."""
    largest = max(rates.values())
    scaled = {name: rate / largest for name, rate in rates.items()}  # so that no sum of huge rates overflows
    total = math.fsum(scaled.values())
    return {name: rate / total for name, rate in scaled.items()}


def check_sizes(sizes: Mapping[str, int]) -> None:
    """Refuses what no strategy can mix.

    Raises:
        T5MixError: there is no task, or one has no examples or an unknown number of them.
    """
    if not sizes:
        raise T5MixError("The mixture is empty. Name at least one task.")
    for name, size in sizes.items():
        if size is None or not math.isfinite(size):
            raise T5MixError(f"The size of {name} is {size}: mixing needs the number of its training examples.")
    empty = [name for name, size in sizes.items() if size <= 0]
    if empty:
        raise T5MixError(f"No training examples in {', '.join(empty)}. Mend the source or leave the task out.")
