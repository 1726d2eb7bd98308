"""Numbers as people read them: counts, shares, times, sizes in memory and on disk."""

UNKNOWN = "\N{EN DASH}"


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
