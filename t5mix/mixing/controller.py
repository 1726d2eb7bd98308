"""A strategy at work: asked for proportions ahead of training, given losses behind it, and checked."""

import dataclasses
import json
import math
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from t5mix.errors import T5MixError
from t5mix.files import write_text
from t5mix.mixing.base import MixingBudget, MixingStrategy, TaskFeedback
from t5mix.mixing.task_sizes import TaskSizes

_TOLERANCE = 1e-6  # how far a strategy's proportions may be from summing to one


@dataclasses.dataclass(frozen=True)
class StepMixture:
    """How one step's batch is mixed.

    Attributes:
        proportions: the strategy's proportions.
        example_proportions: the probability that an example is of each task, by task id; [N].
        loss_weights: what each task's mean loss counts in the objective, [N]; None where all loss tokens count alike.
        state: the strategy's state behind it, JSON-able.
    """

    proportions: Mapping[str, float]
    example_proportions: np.ndarray
    loss_weights: np.ndarray | None
    state: Any


def initial_state(strategy: MixingStrategy, task_sizes: TaskSizes, budget: MixingBudget) -> dict[str, Any]:
    """Returns the state of a controller before the first step."""
    return {"strategy": strategy.init(task_sizes.sizes, budget), "feedback": {}}


class MixtureController:
    """Gives each step the proportions that follow from all feedback up to `lag` steps before it, and no later.

    The batch of step s is made while earlier steps still run, so the strategy can only know what happened up to step
    s - lag; because the lag is fixed and waited for, the proportions are a function of the past and not of timing.
    `mixture` is called from the thread that makes batches, `observe` from the one that trains.

    Args:
        strategy: the strategy.
        task_sizes: the tasks.
        state: what `state` gave in the run that is resumed, or `initial_state` to begin.
        lag: in steps.
        first_step: the first step that `mixture` will be asked for.
        dump: file that the strategy's state is written to if what it says cannot be used.
    """

    def __init__(
        self,
        strategy: MixingStrategy,
        task_sizes: TaskSizes,
        state: Mapping[str, Any],
        *,
        lag: int,
        first_step: int = 0,
        dump: Path | None = None,
    ) -> None:
        self._strategy, self._task_sizes, self._lag, self._dump = strategy, task_sizes, lag, dump
        self._names = list(task_sizes.sizes)
        self._feedback: dict[int, dict[str, TaskFeedback]] = {}
        self._mixtures: dict[int, StepMixture] = {}  # from the last step observed on
        self._known = first_step - 1  # the last step that gave feedback
        self._used = first_step - 1 - lag  # the last step whose feedback the strategy has seen
        self._state = state["strategy"]
        for step, tasks in state["feedback"].items():
            self._feedback[int(step)] = {name: TaskFeedback(**task) for name, task in tasks.items()}
        self._changed = threading.Condition()
        self._closed = False

    def mixture(self, step: int) -> StepMixture:
        """Returns the mixture of a step, once the feedback that it depends on is there. Steps are asked for in order.

        Raises:
            T5MixError: the strategy's proportions are no proportions; its state is dumped.
        """
        while self._used < step - self._lag:
            self._used += 1
            if self._used >= 0:
                self._state = self._strategy.observe(self._state, self._wait(self._used))
        proportions = self._checked(self._strategy.proportions(self._state, step), step)
        loss_weights = self._strategy.loss_weights(self._state, step)
        mixture = StepMixture(
            proportions=proportions,
            example_proportions=self._task_sizes.example_proportions(proportions),
            loss_weights=None if loss_weights is None else self._task_sizes.spread(loss_weights),
            state=self._state,
        )
        with self._changed:
            self._mixtures[step] = mixture
        return mixture

    def mixture_of(self, step: int) -> StepMixture:
        """Returns what `mixture` gave for a step that is not before the last one observed."""
        return self._mixtures[step]

    def observe(self, step: int, **sums: Any) -> None:
        """Takes in what a step said, in order of steps; the arguments are those of `TaskSizes.feedback`."""
        with self._changed:
            self._feedback[step] = self._task_sizes.feedback(proportions=self._mixtures[step].proportions, **sums)
            self._feedback.pop(step - self._lag, None)  # neither `mixture` nor a checkpoint needs it any more
            self._mixtures.pop(step - 1, None)
            self._known = step
            self._changed.notify_all()

    def state(self) -> dict[str, Any]:
        """Returns what a run needs, JSON-able, to go on after the last step observed."""
        feedback = {
            str(step): {name: dataclasses.asdict(task) for name, task in tasks.items()}
            for step, tasks in self._feedback.items()
        }
        return {"strategy": self._mixtures[self._known].state, "feedback": feedback}

    def close(self) -> None:
        """Wakes who waits for feedback that will not come."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _wait(self, step: int) -> dict[str, TaskFeedback]:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or step <= self._known)
            if step > self._known:
                raise InterruptedError("the run has stopped")
            return self._feedback[step]

    def _checked(self, proportions: Mapping[str, float], step: int) -> dict[str, float]:
        problem = self._problem(proportions)
        if problem is None:
            return {name: float(proportions[name]) for name in self._names}
        where = ""
        if self._dump is not None:
            content = {"step": step, "proportions": dict(proportions), "state": self._state}
            write_text(self._dump, json.dumps(content, indent=1, default=str) + "\n")
            where = f" Its state is in {self._dump}."
        raise T5MixError(
            f"The mixing strategy {self._strategy} gave no proportions for step {step}: {problem}. Weights must be "
            f"numbers from 0 to 1, one for each task, that sum to 1.{where}"
        )

    def _problem(self, proportions: Mapping[str, float]) -> str | None:
        if proportions.keys() != set(self._names):
            return f"it weighs {', '.join(proportions) or 'nothing'} and the tasks are {', '.join(self._names)}"
        wrong = {
            name: proportion
            for name, proportion in proportions.items()
            if not (math.isfinite(proportion) and proportion >= 0)
        }
        if wrong:
            return f"it gives {wrong}"
        total = math.fsum(proportions.values())
        return None if abs(total - 1) <= _TOLERANCE else f"they sum to {total}"
