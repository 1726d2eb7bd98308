"""Numbers as people read them, the same in commands, logs and reports. What is not known is a dash."""

import math
from collections.abc import Sequence

UNKNOWN = "\N{EN DASH}"

_SI_PREFIXES = ("k", "M", "G", "T", "P", "E")
_BINARY_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB")


def count(value: float | None) -> str:
    """Returns a whole number with thousands separated: "1,234,567"."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def percent(share: float) -> str:
    """Returns a share of 1 in per cent: "12.5 %"."""
    return f"{100 * share:.1f} %"


def learning_rate(value: float | None) -> str:
    """Returns a learning rate as one writes it: "0.001", "3e-05"."""
    return UNKNOWN if value is None else f"{value:g}"


def si_number(value: float | None) -> str:
    """Returns a large number to three digits with an SI prefix: "1.23 T", "30 k", "12"."""
    if value is None:
        return UNKNOWN
    for exponent, prefix in reversed(list(enumerate(_SI_PREFIXES, start=1))):
        if value >= 0.9995 * 1000**exponent:  # less would be written as at most 999 of the prefix below
            return f"{value / 1000**exponent:.3g} {prefix}"
    return f"{value:.3g}"


def data_size(number_of_bytes: float | None) -> str:
    """Returns bytes to three digits or more: "512 B", "800 MiB", "3.00 GiB"."""
    if number_of_bytes is None:
        return UNKNOWN
    if number_of_bytes < 1024:
        return f"{number_of_bytes:.0f} B"
    value = number_of_bytes / 1024
    for unit in _BINARY_UNITS:
        if value < 1024 or unit == _BINARY_UNITS[-1]:
            break
        value /= 1024
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:,.{digits}f} {unit}"


def duration(seconds: float) -> str:
    """Returns a length of time with its unit: "12.3 s", "2.8 min", "1 h 05 min"."""
    if seconds < 100:
        return f"{seconds:.3g} s"
    if seconds < 600:
        return f"{seconds / 60:.1f} min"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60:,} h {minutes % 60:02d} min"


def clock(seconds: float) -> str:
    """Returns a time that runs, as a clock shows it: "1:05", "2:03:04"."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def in_one_notation(values: Sequence[float | None], digits: int = 3) -> list[str]:
    """Returns the numbers of a column with as many decimals each, so that they can be compared: "0.50", "1,200.00".

    Args:
        values: the numbers; None gives a dash.
        digits: how many significant digits the smallest of them is to have, at most six decimals; whole numbers have
            no decimals.
    """
    sizes = [abs(value) for value in values if value and math.isfinite(value)]
    whole = all(float(size).is_integer() for size in sizes)
    decimals = 0 if whole else min(max(digits - 1 - math.floor(math.log10(min(sizes))), 0), 6)
    return [UNKNOWN if value is None else f"{value:,.{decimals}f}" for value in values]
