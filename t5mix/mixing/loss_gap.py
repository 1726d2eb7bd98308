"""Weights that follow how far each task is from where it could be."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
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
from t5mix.mixing.fixed import check_names
from t5mix.mixing.odm import check_smoothing, smoothed
from t5mix.mixing.proportional import Proportional


@STRATEGIES.register("loss_gap")
@configurable
class LossGap(MixingStrategy):
    """Draws tasks the more often the further their training loss is above a reference loss.

    p_i = floor * prior_i + (1 - floor) * normalised(prior_i * gap_i ** power) with gap_i = max(l_i - reference_i, 0),
    l_i the smoothed training loss. Tasks not seen yet count with the mean gap; where nobody has a gap, the prior holds.

    Attributes:
        references: the loss of each task, in nats a token, that is as good as can be: given for each task of the
            mixture; or measured, as the folder of a finished run (its best validation losses) or a JSON file that holds
            them under `references`. None for 0 throughout, so that weights follow the losses themselves.
        prior: the proportions where all gaps are alike.
        power: how strongly gaps count; 0 is the prior.
        floor: share of the prior that every task keeps.
        smoothing: a in l <- a l + (1 - a) L.
    """

    references: Mapping[str, float] | str | None = None
    prior: MixingStrategy = Proportional()
    power: float = 1.0
    floor: float = 0.1
    smoothing: float = 0.9

    def __post_init__(self) -> None:
        check_smoothing(self.smoothing)
        if not 0 <= self.floor <= 1:
            raise ValueError(f"mixing.floor is {self.floor}: it is a share, from 0 to 1")
        if not (math.isfinite(self.power) and self.power >= 0):
            raise ValueError(f"mixing.power is {self.power}: it must be 0 or more")
        for name, loss in self._given().items():
            if not (math.isfinite(loss) and loss >= 0):
                raise ValueError(f"mixing.references has {loss} for {name}: a loss is 0 or more, and finite")

    @property
    def named_tasks(self) -> tuple[str, ...]:
        """The tasks that have a reference, or that the prior names."""
        return tuple(self._given()) or self.prior.named_tasks

    def init(self, sizes: Mapping[str, int], budget: MixingBudget) -> dict[str, Any]:
        """Returns the references, the prior's state, and no losses.

        Raises:
            T5MixError: the references are of other tasks than the mixture's.
        """
        check_sizes(sizes)
        references = self._given()
        if references:
            check_names("mixing.references", references, sizes)
        return {
            "references": {name: references.get(name, 0.0) for name in sizes},
            "prior": self.prior.init(sizes, budget),
            "losses": {},
        }

    def proportions(self, state: dict[str, Any], step: int) -> dict[str, float]:
        """Returns the prior, tilted towards tasks that are far from their reference."""
        prior = self.prior.proportions(state["prior"], step)
        gaps = {name: max(loss - state["references"][name], 0.0) for name, loss in state["losses"].items()}
        unseen = math.fsum(gaps.values()) / len(gaps) if gaps else 1.0
        tilted = {name: share * gaps.get(name, unseen) ** self.power for name, share in prior.items()}
        if not any(tilted.values()):
            return prior
        chosen = normalized(tilted)
        return normalized({name: self.floor * prior[name] + (1 - self.floor) * chosen[name] for name in prior})

    def observe(self, state: dict[str, Any], feedback: Mapping[str, TaskFeedback]) -> dict[str, Any]:
        """Moves the smoothed losses of the tasks of the batch."""
        return {
            **state,
            "prior": self.prior.observe(state["prior"], feedback),
            "losses": smoothed(state["losses"], feedback, self.smoothing),
        }

    def _given(self) -> dict[str, float]:
        if self.references is None:
            return {}
        return measured_losses(self.references) if isinstance(self.references, str) else dict(self.references)


def measured_losses(path: str) -> dict[str, float]:
    """Returns reference losses from a run's folder or a file.

    Raises:
        ValueError: there are none.
    """
    run_or_file = Path(path).expanduser()
    file = run_or_file / "result.json" if run_or_file.is_dir() else run_or_file
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if run_or_file.is_dir():
            return {name: float(best["loss"]) for name, best in content["best"].items()}
        return {str(name): float(loss) for name, loss in content["references"].items()}
    except FileNotFoundError as error:
        raise ValueError(
            f"mixing.references: there is no file {file}; name a JSON file, or the folder of a finished run"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"mixing.references: {file} holds no losses ({type(error).__name__}: {error}); a file of one's own looks "
            'like {"references": {"cola": 0.4, ...}}'
        ) from error
