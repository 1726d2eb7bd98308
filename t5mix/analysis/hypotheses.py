"""Hypotheses that were declared before anything ran, judged by what came out."""

import dataclasses
import enum
from collections.abc import Mapping

import numpy as np

from t5mix.analysis.multiple_testing import holm
from t5mix.analysis.statistics import Estimate, Resampled, check_share
from t5mix.sweep.spec import Hypothesis


class Verdict(enum.StrEnum):
    """What became of a hypothesis: shown, shown to be false, or neither."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    INCONCLUSIVE = "inconclusive"


@dataclasses.dataclass(frozen=True)
class Judgement:
    """A verdict and all that it rests on.

    Attributes:
        hypothesis: what was claimed.
        verdict: supported, refuted or inconclusive.
        reason: why, in words.
        estimate: the paired difference, the better method's metric minus the worse one's; minus the same on the
            tasks of `minus_tasks`, where the hypothesis has some.
        level: of the corrected interval: 1 - alpha / (the hypotheses that Holm's procedure still held open).
        interval: the corrected interval of the difference; None where there is none. It leaves the margin out if and
            only if the verdict is supported or refuted.
        p_value: two-sided, of a difference equal to the margin; 1 where it cannot be tested.
        corrected_p_value: Holm's, over all hypotheses judged together.
        smallest_effect: how far from the margin a difference must be to be detected at this level with the power
            asked for; None where nothing can be detected.
    """

    hypothesis: Hypothesis
    verdict: Verdict
    reason: str
    estimate: Estimate
    level: float
    interval: tuple[float, float] | None
    p_value: float
    corrected_p_value: float
    smallest_effect: float | None


def judge(
    resampled: Resampled, hypotheses: Mapping[str, Hypothesis], alpha: float = 0.05, power: float = 0.8
) -> dict[str, Judgement]:
    """Judges a family of hypotheses together.

    A hypothesis claims that a difference lies above its margin. Each is tested two-sided at its margin, and Holm's
    procedure keeps the probability that any verdict is false at `alpha` or below, however many hypotheses are true.
    All that were declared count, also those that cannot be tested because trials are missing.

    Args:
        resampled: the study and its draws.
        hypotheses: all that were declared, by name.
        alpha: the probability of any false verdict.
        power: the probability with which the smallest detectable effect is detected.

    Raises:
        UnknownNameError: a hypothesis names a method or a task that the study has not.
        T5MixError: alpha or the power is not between 0 and 1.
    """
    check_share("alpha", alpha)
    check_share("power", power)
    estimates = [
        resampled.difference(claim.better, claim.worse, claim.tasks or None, minus=claim.minus_tasks or None)
        for claim in hypotheses.values()
    ]
    tests = [estimate.p_value(claim.margin) for estimate, claim in zip(estimates, hypotheses.values(), strict=True)]
    p_values = [1.0 if p is None else p for p in tests]
    corrected = holm(p_values)
    # A hypothesis is tested while those after it in Holm's order are open too; those never tested share the last level.
    rejected = int((corrected <= alpha).sum())
    ranks = np.minimum(np.argsort(np.argsort(p_values, kind="stable"), kind="stable"), rejected)
    judgements = {}
    for index, (name, hypothesis) in enumerate(hypotheses.items()):
        estimate, level = estimates[index], 1 - alpha / (len(hypotheses) - int(ranks[index]))
        interval = estimate.interval(level)
        verdict = Verdict.INCONCLUSIVE
        if corrected[index] <= alpha:
            verdict = Verdict.SUPPORTED if estimate.value > hypothesis.margin else Verdict.REFUTED
        judgements[name] = Judgement(
            hypothesis=hypothesis,
            verdict=verdict,
            reason=estimate.reason or _reason(verdict, level, hypothesis.margin),
            estimate=estimate,
            level=level,
            interval=interval,
            p_value=p_values[index],
            corrected_p_value=float(corrected[index]),
            smallest_effect=estimate.smallest_effect(level, power),
        )
    return judgements


def _reason(verdict: Verdict, level: float, margin: float) -> str:
    where = {Verdict.SUPPORTED: "lies above", Verdict.REFUTED: "lies below", Verdict.INCONCLUSIVE: "holds"}[verdict]
    return f"the {100 * level:.4g} % interval {where} {margin:g}"
