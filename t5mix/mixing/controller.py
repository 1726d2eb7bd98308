"""A strategy at work: asked for proportions ahead of training, told of losses behind it, and checked."""

import dataclasses
import json
import math
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from t5mix.errors import T5MixError
from t5mix.mixing.base import MixingBudget, MixingStrategy, TaskFeedback
from t5mix.mixing.task_sizes import Census

_TOLERANCE = 1e-6  # how far a strategy's proportions may be from summing to one


@dataclasses.dataclass(frozen=True)
class Mix:
    """How one step's batch is mixed.

    Attributes:
        weights: the strategy's proportions.
        draws: the probability that an example is of each task, by task id; [N].
        loss_weights: what each task's mean loss counts in the objective, [N]; None where all loss tokens count alike.
        state: the strategy's state behind it, JSON-able.
    """

    weights: Mapping[str, float]
    draws: np.ndarray
    loss_weights: np.ndarray | None
    state: Any


def start_state(strategy: MixingStrategy, census: Census, budget: MixingBudget) -> dict[str, Any]:
    """Returns the state of a mixer before the first step."""
    return {"strategy": strategy.init(census.sizes, budget), "feedback": {}}


class Mixer:
    """Gives each step the proportions that follow from all feedback up to `lag` steps before it, and no later.

    The batch of step s is made while earlier steps still run, so the strategy can only know what happened up to step
    s - lag; because the lag is fixed and waited for, the proportions are a function of the past and not of timing.
    `mix` is called from the thread that makes batches, `observe` from the one that trains.

    Args:
        strategy: the strategy.
        census: the tasks.
        state: what `state` gave in the run that is resumed, or `start_state` to begin.
        lag: in steps.
        first_step: the first step that `mix` will be asked for.
        dump: file that the strategy's state is written to if what it says cannot be used.
    """

    def __init__(
        self,
        strategy: MixingStrategy,
        census: Census,
        state: Mapping[str, Any],
        *,
        lag: int,
        first_step: int = 0,
        dump: Path | None = None,
    ) -> None:
        self._strategy, self._census, self._lag, self._dump = strategy, census, lag, dump
        self._names = list(census.sizes)
        self._feedback: dict[int, dict[str, TaskFeedback]] = {}
        self._mixes: dict[int, Mix] = {}  # from the last step observed on
        self._known = first_step - 1  # the last step that gave feedback
        self._used = first_step - 1 - lag  # the last step whose feedback the strategy has seen
        self._state = state["strategy"]
        for step, tasks in state["feedback"].items():
            self._feedback[int(step)] = {name: TaskFeedback(**task) for name, task in tasks.items()}
        self._changed = threading.Condition()
        self._closed = False

    def mix(self, step: int) -> Mix:
        """Returns the mix of a step, once the feedback that it depends on is there. Steps are asked for in order.

        Raises:
            T5MixError: the strategy's proportions are no proportions; its state is dumped.
        """
        while self._used < step - self._lag:
            self._used += 1
            if self._used >= 0:
                self._state = self._strategy.observe(self._state, self._wait(self._used))
        weights = self._checked(self._strategy.weights(self._state, step), step)
        loss_weights = getattr(self._strategy, "loss_weights", None)
        mix = Mix(
            weights=weights,
            draws=self._census.draws(weights),
            loss_weights=None if loss_weights is None else self._census.spread(loss_weights(self._state, step)),
            state=self._state,
        )
        with self._changed:
            self._mixes[step] = mix
        return mix

    def mix_of(self, step: int) -> Mix:
        """Returns what `mix` gave for a step that is not before the last one observed."""
        return self._mixes[step]

    def observe(self, step: int, **sums: Any) -> None:
        """Takes in what a step said, in order of steps; the arguments are those of `Census.feedback`."""
        with self._changed:
            self._feedback[step] = self._census.feedback(weights=self._mixes[step].weights, **sums)
            self._feedback.pop(step - self._lag, None)  # neither `mix` nor a checkpoint needs it any more
            self._mixes.pop(step - 1, None)
            self._known = step
            self._changed.notify_all()

    def state(self) -> dict[str, Any]:
        """Returns what a run needs, JSON-able, to go on after the last step observed."""
        feedback = {
            str(step): {name: dataclasses.asdict(task) for name, task in tasks.items()}
            for step, tasks in self._feedback.items()
        }
        return {"strategy": self._mixes[self._known].state, "feedback": feedback}

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

    def _checked(self, weights: Mapping[str, float], step: int) -> dict[str, float]:
        problem = self._problem(weights)
        if problem is None:
            return {name: float(weights[name]) for name in self._names}
        where = ""
        if self._dump is not None:
            content = {"step": step, "weights": dict(weights), "state": self._state}
            self._dump.write_text(json.dumps(content, indent=1, default=str) + "\n", encoding="utf-8")
            where = f" Its state is in {self._dump}."
        raise T5MixError(
            f"The mixing strategy {self._strategy} gave no proportions for step {step}: {problem}. Weights must be "
            f"numbers from 0 to 1, one for each task, that sum to 1.{where}"
        )

    def _problem(self, weights: Mapping[str, float]) -> str | None:
        if weights.keys() != set(self._names):
            return f"it weighs {', '.join(weights) or 'nothing'} and the tasks are {', '.join(self._names)}"
        wrong = {name: weight for name, weight in weights.items() if not (math.isfinite(weight) and weight >= 0)}
        if wrong:
            return f"it gives {wrong}"
        total = math.fsum(weights.values())
        return None if abs(total - 1) <= _TOLERANCE else f"they sum to {total}"
