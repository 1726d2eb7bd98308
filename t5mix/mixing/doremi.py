"""DoReMi: proportions that make a small proxy model's worst excess loss small (Xie et al. 2023). Offline."""

import math
from collections.abc import Mapping
from typing import Any

from t5mix.configurable import configurable
from t5mix.mixing.base import STRATEGIES, MixingBudget, MixingStrategy, TaskFeedback, check_sizes, normalized


@STRATEGIES.register("doremi")
@configurable
class DoReMi(MixingStrategy):
    """The second stage of DoReMi: a proxy model's run that finds out how to mix.

    Tasks are drawn equally often, and each task's mean loss counts a_i in the objective. After every step, the mean
    over the task's tokens in the batch, log a_i += eta * mean(max(l - l_ref, 0)); a <- (1 - c) normalised(a) + c / K.
    The outcome is the mean of a over the run, written to `mixing_weights.json` in the run's folder: what
    `mixing=fixed mixing.task_weights=FILE` takes.

    Attributes:
        reference: folder of the first stage's run, or one of its checkpoints: the reference model, of the same
            vocabulary.
        eta: step size.
        smoothing: c.
    """

    reference: str
    eta: float = 1.0
    smoothing: float = 1e-3

    def __post_init__(self) -> None:
        if not (math.isfinite(self.eta) and self.eta > 0):
            raise ValueError(f"mixing.eta is {self.eta}: it must be greater than 0")
        if not 0 < self.smoothing <= 1:
            raise ValueError(f"mixing.smoothing is {self.smoothing}: it must be above 0 and at most 1")

    @property
    def reference_run(self) -> str:
        """The first stage's run."""
        return self.reference

    def init(self, sizes: Mapping[str, int], budget: MixingBudget) -> dict[str, Any]:
        """Returns equal weights."""
        check_sizes(sizes)
        return {"alphas": dict.fromkeys(sizes, 1 / len(sizes)), "sum": dict.fromkeys(sizes, 0.0), "observed": 0}

    def proportions(self, state: dict[str, Any], step: int) -> dict[str, float]:
        """Returns equal proportions: it is the loss that is weighted."""
        return dict.fromkeys(state["alphas"], 1 / len(state["alphas"]))

    def loss_weights(self, state: dict[str, Any], step: int) -> dict[str, float]:
        """Returns a: what each task's mean loss counts in the objective."""
        return state["alphas"]

    def observe(self, state: dict[str, Any], feedback: Mapping[str, TaskFeedback]) -> dict[str, Any]:
        """Moves a by the excess losses.

        Raises:
            ValueError: the run has no reference model, so that nothing says by how much a loss exceeds its own.
        """
        logs = {name: math.log(alpha) for name, alpha in state["alphas"].items()}
        for name, task in feedback.items():
            if task.excess_sum is None:
                raise ValueError("DoReMi needs a run with a reference model")
            if task.tokens:
                logs[name] += self.eta * task.excess_sum / task.tokens
        largest, count = max(logs.values()), len(logs)
        raised = normalized({name: math.exp(value - largest) for name, value in logs.items()})
        alphas = {name: (1 - self.smoothing) * value + self.smoothing / count for name, value in raised.items()}
        return {
            "alphas": alphas,
            "sum": {name: total + alphas[name] for name, total in state["sum"].items()},
            "observed": state["observed"] + 1,
        }

    def outcome(self, state: dict[str, Any]) -> dict[str, float]:
        """Returns the mean of a over the steps observed."""
        return normalized(state["sum"]) if state["observed"] else state["alphas"]
