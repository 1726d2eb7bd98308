"""What a mixing strategy is, and what every static one shares."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from t5mix.errors import T5MixError
from t5mix.registry import Registry
from t5mix.types import TaskFeedback


@runtime_checkable
class MixingStrategy(Protocol):
    """A rule for the proportions in which tasks are drawn: a pair of pure functions over an explicit state.

    Implementations are frozen dataclasses, made with `t5mix.types.config` and registered in `STRATEGIES`.
    The state must be JSON-able; it is checkpointed with the run.
    """

    def init(self, sizes: Mapping[str, int]) -> Any:
        """Returns the state before the first step, given each task's number of training examples."""
        ...

    def weights(self, state: Any, step: int) -> dict[str, float]:
        """Returns the proportions in force at `step`: one for each task, not negative, summing to one."""
        ...

    def observe(self, state: Any, feedback: Mapping[str, TaskFeedback]) -> Any:
        """Returns the state after seeing one step's losses; a static strategy returns it unchanged."""
        ...


STRATEGIES: Registry[MixingStrategy] = Registry("mixing strategy")


class StaticStrategy(ABC):
    """A strategy whose proportions depend on the sizes alone. The state is those proportions."""

    @abstractmethod
    def rates(self, sizes: Mapping[str, int]) -> dict[str, float]:
        """Returns each task's unnormalised rate r_m (Raffel et al. 2020, section 3.5.2)."""

    def init(self, sizes: Mapping[str, int]) -> dict[str, float]:
        """Returns the proportions p_m = r_m / sum(r).

        Raises:
            T5MixError: there is no task, or one has no examples.
        """
        check_sizes(sizes)
        rates = self.rates(sizes)
        total = math.fsum(rates.values())
        return {name: rate / total for name, rate in rates.items()}

    def weights(self, state: dict[str, float], step: int) -> dict[str, float]:
        """Returns the proportions, the same at every step."""
        return state

    def observe(self, state: dict[str, float], feedback: Mapping[str, TaskFeedback]) -> dict[str, float]:
        """Returns the state unchanged."""
        return state


def check_sizes(sizes: Mapping[str, int]) -> None:
    """Refuses what no strategy can mix.

    Raises:
        T5MixError: there is no task, or one has no examples.
    """
    if not sizes:
        raise T5MixError("The mixture is empty. Name at least one task.")
    empty = [name for name, size in sizes.items() if size <= 0]
    if empty:
        raise T5MixError(f"No training examples in {', '.join(empty)}. Mend the source or leave the task out.")
