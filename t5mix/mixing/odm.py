"""Online data mixing: a bandit over tasks whose reward is the loss (Albalak et al. 2023)."""

import math
from collections.abc import Mapping
from typing import Any

from t5mix.configurable import configurable
from t5mix.mixing.base import (
    STRATEGIES,
    MixingBudget,
    MixingStrategy,
    TaskFeedback,
    check_sizes,
    normalized,
)
from t5mix.mixing.proportional import Proportional


@STRATEGIES.register("odm")
@configurable
class ODM(MixingStrategy):
    """Online data mixing as published, an EXP3 bandit.

    R_i <- a R_i + (1 - a) L_i / p_i for the tasks of the batch; p = (1 - K eps_t) softmax(eps_{t-1} R) + eps_t with
    eps_t = min(1 / K, sqrt(ln K / (K t))). L_i is the task's mean loss in the batch, p_i its proportion when it was
    drawn. As eps falls while the averages R stay bounded, it drifts to equal proportions in a long run; `odm_prior`
    does not.

    Attributes:
        smoothing: a.
        warmup: share of the run in which the proportions stay those of the sizes, as the first losses say little.
    """

    smoothing: float = 0.9
    warmup: float = 0.01

    def __post_init__(self) -> None:
        check_smoothing(self.smoothing)
        if not 0 <= self.warmup <= 1:
            raise ValueError(f"mixing.warmup is {self.warmup}: it is a share of the run, from 0 to 1")

    def init(self, sizes: Mapping[str, int], budget: MixingBudget) -> dict[str, Any]:
        """Returns no rewards, and the proportions of the warm-up."""
        return {
            "observed": 0,
            "rewards": dict.fromkeys(sizes, 0.0),
            "sizes": Proportional().init(sizes, budget),
            "warmup": round(self.warmup * budget.steps),
        }

    def proportions(self, state: dict[str, Any], step: int) -> dict[str, float]:
        """Returns the bandit's proportions, or those of the sizes in the warm-up."""
        if step < state["warmup"]:
            return state["sizes"]
        count, turn = len(state["rewards"]), state["observed"] + 1
        before, now = _exploration(count, turn - 1), _exploration(count, turn)
        largest = max(state["rewards"].values())
        chosen = normalized({name: math.exp(before * (r - largest)) for name, r in state["rewards"].items()})
        return normalized({name: (1 - count * now) * share + now for name, share in chosen.items()})

    def observe(self, state: dict[str, Any], feedback: Mapping[str, TaskFeedback]) -> dict[str, Any]:
        """Moves the rewards of the tasks of the batch."""
        rewards = dict(state["rewards"])
        for name, task in feedback.items():
            if task.tokens and task.proportion:
                reward = task.loss_sum / task.tokens / task.proportion
                rewards[name] = self.smoothing * rewards[name] + (1 - self.smoothing) * reward
        return {**state, "observed": state["observed"] + 1, "rewards": rewards}


@STRATEGIES.register("odm_prior")
@configurable
class PriorODM(MixingStrategy):
    """Online data mixing around a static prior: p_i proportional to r_i exp(eta s_i).

    s_i is the task's smoothed loss, standardised over the tasks seen so far, so that eta says how far a task may move
    from its prior whatever the scale of the losses; a task not seen yet keeps its prior. With `capped` around it, no
    task is repeated too often.

    Attributes:
        prior: gives r.
        eta: strength; 0 is the prior. A task one standard deviation above the mean loss gets exp(eta) times its prior.
        smoothing: a in s <- a s + (1 - a) L.
    """

    prior: MixingStrategy = Proportional()
    eta: float = 0.5
    smoothing: float = 0.9

    def __post_init__(self) -> None:
        check_smoothing(self.smoothing)
        if not (math.isfinite(self.eta) and self.eta >= 0):
            raise ValueError(f"mixing.eta is {self.eta}: it must be 0 or more")

    @property
    def named_tasks(self) -> tuple[str, ...]:
        """The tasks that the prior names."""
        return self.prior.named_tasks

    def init(self, sizes: Mapping[str, int], budget: MixingBudget) -> dict[str, Any]:
        """Returns the prior's state and no losses."""
        check_sizes(sizes)
        return {"prior": self.prior.init(sizes, budget), "losses": {}}

    def proportions(self, state: dict[str, Any], step: int) -> dict[str, float]:
        """Returns the prior, tilted towards tasks of high loss."""
        prior = self.prior.proportions(state["prior"], step)
        scores = _standardized(state["losses"])
        top = max(scores.values(), default=0.0)
        return normalized(
            {name: share * math.exp(self.eta * (scores.get(name, 0.0) - top)) for name, share in prior.items()}
        )

    def observe(self, state: dict[str, Any], feedback: Mapping[str, TaskFeedback]) -> dict[str, Any]:
        """Moves the smoothed losses of the tasks of the batch."""
        return {
            "prior": self.prior.observe(state["prior"], feedback),
            "losses": smoothed(state["losses"], feedback, self.smoothing),
        }


def smoothed(losses: Mapping[str, float], feedback: Mapping[str, TaskFeedback], smoothing: float) -> dict[str, float]:
    """Returns exponentially smoothed mean losses; a task's first one counts in full."""
    moved = dict(losses)
    for name, task in feedback.items():
        if task.tokens:
            loss = task.loss_sum / task.tokens
            moved[name] = smoothing * moved[name] + (1 - smoothing) * loss if name in moved else loss
    return moved


def check_smoothing(smoothing: float) -> None:
    """Refuses a smoothing outside [0, 1).

    Raises:
        ValueError: it is.
    """
    if not 0 <= smoothing < 1:
        raise ValueError(f"mixing.smoothing is {smoothing}: it must be at least 0 and below 1")


def _exploration(tasks: int, turn: int) -> float:
    """Returns eps_t, which begins at 1 / K."""
    return min(1 / tasks, math.sqrt(math.log(tasks) / (tasks * turn))) if turn else 1 / tasks


def _standardized(losses: Mapping[str, float]) -> dict[str, float]:
    if len(losses) < 2:
        return {}
    mean = math.fsum(losses.values()) / len(losses)
    deviation = math.sqrt(math.fsum((loss - mean) ** 2 for loss in losses.values()) / len(losses))
    return {name: (loss - mean) / deviation for name, loss in losses.items()} if deviation > 0 else {}
