"""Figures and verdicts in words, the same in all formats."""

import re

from t5mix.analysis.hypotheses import Judgement, Verdict
from t5mix.analysis.statistics import Estimate
from t5mix.console import units, wording

MINUS = "\N{MINUS SIGN}"


def score(value: float | None, digits: int = 2) -> str:
    """Returns points, with two decimals if not said otherwise."""
    return units.UNKNOWN if value is None or value != value else f"{value:.{digits}f}".replace("-", MINUS)


def signed(value: float | None) -> str:
    """Returns a difference with its sign."""
    if value is None or value != value:
        return units.UNKNOWN
    return f"{value:+.2f}".replace("-", MINUS) if round(value, 2) else "0.00"


def half_width(estimate: Estimate, level: float) -> float | None:
    """Returns half the width of an interval; None where there is none."""
    interval = estimate.interval(level)
    return None if interval is None else (interval[1] - interval[0]) / 2


def plus_minus(estimate: Estimate, level: float) -> str:
    """Returns " ± 0.42", or nothing where there is no interval."""
    half = half_width(estimate, level)
    return "" if half is None else f" ± {score(half)}"


def interval(bounds: tuple[float, float] | None) -> str:
    """Returns an interval in brackets."""
    return "no interval" if bounds is None else f"[{score(bounds[0])}, {score(bounds[1])}]"


def p_value(value: float) -> str:
    """Returns "p = 0.031", small ones "p < 0.001"."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def level(share: float) -> str:
    """Returns a level, such as "97.5 %"."""
    return f"{100 * share:.4g} %"


VERDICTS = {
    Verdict.SUPPORTED: "The claim holds",
    Verdict.REFUTED: "The claim is refuted",
    Verdict.INCONCLUSIVE: "Not decided",
}


def what_is_judged(judged: Judgement) -> str:
    """Returns what a hypothesis compares: "full − lora on the mean of a and b, minus that on c, above 0.5"."""
    claim = judged.hypothesis
    where = f"on the mean of {wording.listed(claim.tasks)}" if len(claim.tasks) > 1 else f"on {''.join(claim.tasks)}"
    where = where if claim.tasks else "on the mean of all tasks"
    if claim.minus_tasks:
        mean = "the mean of " if len(claim.minus_tasks) > 1 else ""
        where += f", minus the same on {mean}{wording.listed(claim.minus_tasks)},"
    return f"“{claim.better}” {MINUS} “{claim.worse}” {where} lies above {_plain(claim.margin)}"


def _plain(value: float) -> str:
    return f"{value:g}".replace("-", MINUS)


def outcome(judged: Judgement) -> str:
    """Returns what came out: the estimate, its corrected interval and p value."""
    found, told = judged.estimate, f"Found: {signed(judged.estimate.value)} points"
    if judged.interval is None:
        return f"{told} over {wording.times(found.seeds, 'seed')}; no interval: {found.reason}."
    return (
        f"{told}, corrected interval ({level(judged.level)}) {interval(judged.interval)}; {p_value(judged.p_value)}, "
        f"after Holm's correction {p_value(judged.corrected_p_value)}; {wording.times(found.seeds, 'seed')}, at least "
        f"{wording.times(found.examples, 'example')} a task."
    )


def reason(judged: Judgement) -> str:
    """Returns why the verdict is what it is."""
    return re.sub(r"-(?=\d)", MINUS, judged.reason)


def sensitivity(judged: Judgement) -> str:
    """Returns how small an effect could have been seen."""
    if judged.smallest_effect is None:
        return "What effect could have been seen is not known."
    return (
        f"A difference at least {score(judged.smallest_effect)} points away from {_plain(judged.hypothesis.margin)} "
        "would have been found four times in five."
    )
