"""Figures and verdicts in words, the same in all formats."""

import re

from t5mix.sweep.statistics import Estimate
from t5mix.sweep.verdicts import Judgement, Verdict

MINUS = "\N{MINUS SIGN}"
UNKNOWN = "\N{EN DASH}"


def score(value: float | None, digits: int = 2) -> str:
    """Returns points, with two decimals if not said otherwise."""
    return UNKNOWN if value is None or value != value else f"{value:.{digits}f}".replace("-", MINUS)


def signed(value: float | None) -> str:
    """Returns a difference with its sign."""
    if value is None or value != value:
        return UNKNOWN
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


def rate(value: float | None) -> str:
    """Returns a learning rate as one writes it."""
    return UNKNOWN if value is None else f"{value:g}"


def count(value: float | None) -> str:
    """Returns a number with thousands separated."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def operations(value: float | None) -> str:
    """Returns floating-point operations, such as "1.20 T"."""
    if value is None:
        return UNKNOWN
    for exponent, prefix in ((18, "E"), (15, "P"), (12, "T"), (9, "G"), (6, "M")):
        if value >= 10**exponent:
            return f"{value / 10**exponent:.3g} {prefix}"
    return f"{value:.0f}"


def memory(value: float | None) -> str:
    """Returns bytes as MiB or GiB."""
    if value is None:
        return UNKNOWN
    return f"{value / 2**30:.2f} GiB" if value >= 2**30 else f"{value / 2**20:.0f} MiB"


def duration(seconds: float) -> str:
    """Returns a time, such as "1 h 05 min"."""
    if seconds < 100:
        return f"{seconds:.3g} s"
    if seconds < 600:
        return f"{seconds / 60:.1f} min"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60:,} h {minutes % 60:02d} min"


def percent(share: float) -> str:
    """Returns a share, such as "12.5 %"."""
    return f"{100 * share:.1f} %"


def level(share: float) -> str:
    """Returns a level, such as "97.5 %"."""
    return f"{100 * share:.4g} %"


def listed(names: list[str] | tuple[str, ...], most: int = 12) -> str:
    """Returns names in a row: "a, b and c", and how many more where there are too many."""
    shown = list(names[:most])
    if len(names) > most:
        return f"{', '.join(shown)} and {len(names) - most} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def mean_of(metrics: tuple[str, ...]) -> str:
    """Returns what a task is judged by: "f1", "mean of f1 and accuracy"."""
    return "".join(metrics) if len(metrics) < 2 else f"mean of {listed(metrics)}"


def named(names: list[str] | tuple[str, ...], most: int = 20) -> str:
    """Returns names of methods in a row, in quotation marks, for they may hold commas."""
    return listed([f"“{name}”" for name in names], most)


def times(number: int, noun: str) -> str:
    """Returns "1 seed", "3 seeds"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


VERDICTS = {
    Verdict.WON: "The claim holds",
    Verdict.LOST: "The claim is refuted",
    Verdict.INCONCLUSIVE: "Not decided",
}


def what_is_judged(judged: Judgement) -> str:
    """Returns what a hypothesis compares: "full − lora on the mean of a and b, minus that on c, above 0.5"."""
    claim = judged.hypothesis
    where = f"on the mean of {listed(claim.tasks)}" if len(claim.tasks) > 1 else f"on {''.join(claim.tasks)}"
    where = where if claim.tasks else "on the mean of all tasks"
    if claim.than_on:
        mean = "the mean of " if len(claim.than_on) > 1 else ""
        where += f", minus the same on {mean}{listed(claim.than_on)},"
    return f"“{claim.better}” {MINUS} “{claim.worse}” {where} lies above {_plain(claim.margin)}"


def _plain(value: float) -> str:
    return f"{value:g}".replace("-", MINUS)


def outcome(judged: Judgement) -> str:
    """Returns what came out: the estimate, its corrected interval and p value."""
    found, told = judged.estimate, f"Found: {signed(judged.estimate.value)} points"
    if judged.interval is None:
        return f"{told} over {times(found.seeds, 'seed')}; no interval: {found.reason}."
    return (
        f"{told}, corrected interval ({level(judged.level)}) {interval(judged.interval)}; {p_value(judged.p_value)}, "
        f"after Holm's correction {p_value(judged.corrected_p_value)}; {times(found.seeds, 'seed')}, at least "
        f"{times(found.examples, 'example')} a task."
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
