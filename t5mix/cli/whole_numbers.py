"""Options that count something: what argparse makes of their text."""

import argparse
from collections.abc import Callable


def whole_number(least: int, most: int = 1_000_000) -> Callable[[str], int]:
    """Returns what reads an option that counts something; by default, `most` is more than anybody has of it."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is not {least} or more")
        if value > most:
            raise argparse.ArgumentTypeError(f"{value:,} is too large: the most is {most:,}")
        return value

    return read


positive = whole_number(1)
not_negative = whole_number(0)
steps = whole_number(1, (1 << 31) - 1)
in_memory = whole_number(1, 1 << 16)  # rows or tokens that a device holds at once
