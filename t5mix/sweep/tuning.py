"""Choosing a learning rate from scores, and where to look next when the best one lies at an edge of the grid."""

import dataclasses
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from t5mix.sweep.methods import MethodVariant
from t5mix.sweep.spec import Tuning

TrialScore = Callable[[float, int, str | None], float | None]
"""(learning rate, seed, task) -> a trial's mean over its tasks; None if not known yet, minus infinity if it failed."""


@dataclasses.dataclass(frozen=True)
class Choice:
    """A chosen learning rate.

    Attributes:
        learning_rate: the one with the best score, the smaller of equals; None if all failed.
        scores: by learning rate; minus infinity for those that failed.
        extended: those that were not in the grid.
        at_edge: whether it still lies at an edge of all that were tried, so that a better one may lie beyond.
    """

    learning_rate: float | None
    scores: Mapping[float, float]
    extended: tuple[float, ...]
    at_edge: bool

    def to_json(self) -> dict[str, Any]:
        """Returns the choice as plain data that `from_json` reads back."""
        scores = {str(rate): None if score == -math.inf else score for rate, score in self.scores.items()}
        return {**dataclasses.asdict(self), "scores": scores, "extended": list(self.extended)}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "Choice":
        """Reads what `to_json` gave."""
        return cls(
            learning_rate=raw["learning_rate"],
            scores={float(rate): -math.inf if score is None else score for rate, score in raw["scores"].items()},
            extended=tuple(raw["extended"]),
            at_edge=raw["at_edge"],
        )


def choose_learning_rate(
    variant: MethodVariant, tuning: Tuning, trial_score: TrialScore
) -> tuple[list[float], Choice | None]:
    """Says which learning rates of a method are to be tried, and which is chosen once all of them are: the one rule.

    A learning rate's score is the mean over seeds of the mean over tasks. If one of its trials failed, so has it.

    Args:
        variant: the method.
        tuning: the seeds, and how often the grid may be extended.
        trial_score: the score of each trial on the tuning split.

    Returns:
        All rates in rising order, and the choice, or None while some have no score.
    """

    def rate_score(rate: float) -> float | None:
        by_seed = [[trial_score(rate, seed, task) for task in variant.trial_tasks] for seed in tuning.seeds]
        if any(score == -math.inf for scores in by_seed for score in scores):
            return -math.inf
        complete = [[score for score in scores if score is not None] for scores in by_seed]
        if any(len(scores) < len(variant.trial_tasks) for scores in complete):
            return None
        return statistics.fmean(statistics.fmean(scores) for scores in complete)

    return search(variant.learning_rates, rate_score, tuning.extensions)


def search(
    grid: Sequence[float], score: Callable[[float], float | None], extensions: int
) -> tuple[list[float], Choice | None]:
    """Says which learning rates are to be tried, and which is chosen once their scores are known.

    A best one at an edge gets a new neighbour beyond, as far from it as its neighbour on the other side, as a ratio.

    Args:
        grid: two or more to begin with.
        score: of a learning rate; None while it is not known, minus infinity if it failed.
        extensions: how often the grid may be extended.

    Returns:
        All rates in rising order, and the choice, or None while some have no score.
    """
    rates = sorted(grid)
    extended: list[float] = []
    while True:
        scores = {rate: value for rate in rates if (value := score(rate)) is not None}
        if len(scores) < len(rates):
            return rates, None
        best = max(rates, key=lambda rate: (scores[rate], -rate))
        failed = scores[best] == -math.inf
        beyond = _beyond(rates, best)
        if failed or beyond is None or len(extended) == extensions:
            return rates, Choice(None if failed else best, scores, tuple(extended), beyond is not None and not failed)
        extended.append(beyond)
        rates = sorted([*rates, beyond])


def _beyond(rates: Sequence[float], best: float) -> float | None:
    """Returns the next rate beyond the edge that the best one is at; None if it is at none."""
    if best == rates[-1]:
        inner = rates[-2]
    elif best == rates[0]:
        inner = rates[1]
    else:
        return None
    return float(f"{best * best / inner:.3g}")
