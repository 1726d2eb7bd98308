"""Random choices that come out the same on every version of Python."""

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """Draws that depend on the seed text alone.

    Only `Random.random` is used: Python promises that its sequence never changes for a given seed, and
    promises nothing of the kind for `choice`, `sample` or `shuffle`.
    """

    def __init__(self, seed: str) -> None:
        self._uniform = random.Random(seed).random

    def below(self, bound: int) -> int:
        """Returns an integer in [0, bound)."""
        return int(self._uniform() * bound)

    def chance(self, probability: float) -> bool:
        """Returns True with this probability."""
        return self._uniform() < probability

    def pick(self, options: Sequence[T]) -> T:
        """Returns one of the options, all equally likely."""
        return options[int(self._uniform() * len(options))]

    def pick_early(self, options: Sequence[T]) -> T:
        """Returns one of the options, the early ones more often (the first of n with probability n ** -0.5)."""
        draw = self._uniform()
        return options[int(draw * draw * len(options))]

    def pick_other(self, options: Sequence[T], *taken: T) -> T:
        """Returns one of the options that is none of those taken."""
        return self.pick([option for option in options if option not in taken])

    def weighted(self, weights: dict[T, float]) -> T:
        """Returns a key with a probability proportional to its value."""
        left = self._uniform() * sum(weights.values())
        for option, weight in weights.items():
            left -= weight
            if left < 0:
                return option
        return next(reversed(weights))

    def shuffled(self, options: Sequence[T]) -> list[T]:
        """Returns the options in a random order (Fisher-Yates)."""
        result = list(options)
        for last in range(len(result) - 1, 0, -1):
            other = self.below(last + 1)
            result[last], result[other] = result[other], result[last]
        return result

    def some(self, options: Sequence[T], count: int) -> list[T]:
        """Returns `count` different options in a random order."""
        return self.shuffled(options)[:count]
