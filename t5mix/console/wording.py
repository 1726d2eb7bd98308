"""Names and numbers of things in running text."""


def listed(names: list[str] | tuple[str, ...], most: int = 12) -> str:
    """Returns names in a row: "a, b and c", and how many more where there are too many."""
    shown = list(names[:most])
    if len(names) > most:
        return f"{', '.join(shown)} and {len(names) - most} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def named(names: list[str] | tuple[str, ...], most: int = 20) -> str:
    """Returns names of methods in a row, in quotation marks, for they may hold commas."""
    return listed([f"“{name}”" for name in names], most)


def quantity(number: int, noun: str) -> str:
    """Returns a number of things: "1 seed", "3 seeds"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def mean_of(metrics: tuple[str, ...]) -> str:
    """Returns what a task is judged by: "f1", "mean of f1 and accuracy"."""
    return "".join(metrics) if len(metrics) < 2 else f"mean of {listed(metrics)}"
