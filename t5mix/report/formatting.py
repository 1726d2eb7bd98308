"""Scores, differences and verdicts as text, the same in all formats."""

import re

from t5mix.analysis.comparisons import Entry
from t5mix.analysis.hypotheses import Judgement, Verdict
from t5mix.analysis.statistics import Estimate
from t5mix.console import units, wording

MINUS = "\N{MINUS SIGN}"

BETTER, WORSE = "▲", "▼"

VERDICT_SENTENCES = {
    Verdict.SUPPORTED: "The claim holds",
    Verdict.REFUTED: "The claim is refuted",
    Verdict.INCONCLUSIVE: "Not decided",
}


def shortened(name: str, length: int) -> str:
    """Returns a name of at most so many characters; what is cut off is an ellipsis."""
    return name if len(name) <= length else f"{name[: length - 1]}…"


def score_text(value: float | None, digits: int = 2) -> str:
    """Returns points: "83.28"; a dash where they are not known."""
    return units.UNKNOWN if value is None or value != value else f"{value:.{digits}f}".replace("-", MINUS)


def difference_text(value: float | None) -> str:
    """Returns a difference with its sign: "+1.25", "0.00"."""
    if value is None or value != value:
        return units.UNKNOWN
    return f"{value:+.2f}".replace("-", MINUS) if round(value, 2) else "0.00"


def half_width(estimate: Estimate, level: float) -> float | None:
    """Returns half the width of an interval, in points; None where there is none."""
    interval = estimate.interval(level)
    return None if interval is None else (interval[1] - interval[0]) / 2


def half_width_text(estimate: Estimate, level: float) -> str:
    """Returns " ± 0.42", or nothing where there is no interval."""
    half = half_width(estimate, level)
    return "" if half is None else f" ± {score_text(half)}"


def interval_text(bounds: tuple[float, float] | None) -> str:
    """Returns an interval in brackets: "[0.12, 1.34]"."""
    return "no interval" if bounds is None else f"[{score_text(bounds[0])}, {score_text(bounds[1])}]"


def significance_mark(entry: Entry) -> str:
    """Returns the sign of a difference that is shown, after a space."""
    return f" {BETTER}" if entry.better else f" {WORSE}" if entry.worse else ""


def p_value_text(value: float) -> str:
    """Returns "p = 0.031", of small values "p < 0.001"."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def level_text(level: float) -> str:
    """Returns an interval's level: "97.5 %"."""
    return f"{100 * level:.4g} %"


def claim_text(judgement: Judgement) -> str:
    """Returns what a hypothesis compares: "full − lora on the mean of a and b, minus that on c, lies above 0.5"."""
    claim = judgement.hypothesis
    where = f"on the mean of {wording.listed(claim.tasks)}" if len(claim.tasks) > 1 else f"on {''.join(claim.tasks)}"
    where = where if claim.tasks else "on the mean of all tasks"
    if claim.minus_tasks:
        mean = "the mean of " if len(claim.minus_tasks) > 1 else ""
        where += f", minus the same on {mean}{wording.listed(claim.minus_tasks)},"
    return f"“{claim.better}” {MINUS} “{claim.worse}” {where} lies above {_margin_text(claim.margin)}"


def outcome_text(judgement: Judgement) -> str:
    """Returns what came out: the estimate, its corrected interval and p value."""
    estimate = judgement.estimate
    difference = f"Found: {difference_text(estimate.value)} points"
    seeds = wording.quantity(estimate.seeds, "seed")
    if judgement.interval is None:
        return f"{difference} over {seeds}; no interval: {estimate.reason}."
    return (
        f"{difference}, corrected interval ({level_text(judgement.level)}) {interval_text(judgement.interval)}; "
        f"{p_value_text(judgement.p_value)}, after Holm's correction {p_value_text(judgement.corrected_p_value)}; "
        f"{seeds}, at least {wording.quantity(estimate.examples, 'example')} a task."
    )


def reason_text(judgement: Judgement) -> str:
    """Returns why the verdict is what it is."""
    return re.sub(r"-(?=\d)", MINUS, judgement.reason)


def sensitivity_text(judgement: Judgement) -> str:
    """Returns how small an effect could have been seen."""
    if judgement.smallest_effect is None:
        return "What effect could have been seen is not known."
    return (
        f"A difference at least {score_text(judgement.smallest_effect)} points away from "
        f"{_margin_text(judgement.hypothesis.margin)} would have been found four times in five."
    )


def _margin_text(margin: float) -> str:
    return f"{margin:g}".replace("-", MINUS)
