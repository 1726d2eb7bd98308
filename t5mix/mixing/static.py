"""The three strategies of Raffel et al. 2020, section 3.5.2: equal, examples-proportional, temperature-scaled."""

import math
from collections.abc import Mapping

from t5mix.mixing.base import STRATEGIES, StaticStrategy
from t5mix.types import config


@STRATEGIES.register("equal")
@config
class Equal(StaticStrategy):
    """Every example of every batch is drawn uniformly over the tasks: r_m = 1."""

    def rates(self, sizes: Mapping[str, int]) -> dict[str, float]:
        """Returns 1 for each task."""
        return dict.fromkeys(sizes, 1.0)


@STRATEGIES.register("proportional")
@config
class Proportional(StaticStrategy):
    """Examples-proportional mixing with an artificial limit on the data-set size: r_m = min(e_m, K).

    Attributes:
        limit: K in examples; None for no limit.
    """

    limit: int | None = None

    def __post_init__(self) -> None:
        _check_limit(self.limit)

    def rates(self, sizes: Mapping[str, int]) -> dict[str, float]:
        """Returns min(e_m, K) for each task."""
        return {name: float(_clip(size, self.limit)) for name, size in sizes.items()}


@STRATEGIES.register("temperature")
@config
class Temperature(StaticStrategy):
    """Temperature-scaled mixing: r_m = min(e_m, K) ** (1 / T), clipped first, then the root.

    Attributes:
        temperature: T; 1 is examples-proportional, and the larger it is the closer to equal (infinity is equal).
        limit: K in examples; None for no limit. The paper takes 2 ** 21.
    """

    temperature: float = 2.0
    limit: int | None = None

    def __post_init__(self) -> None:
        if math.isnan(self.temperature) or self.temperature <= 0:
            raise ValueError(
                f"mixing.temperature is {self.temperature}: it must be greater than 0 "
                "(1 is proportional, infinity is equal)"
            )
        _check_limit(self.limit)

    def rates(self, sizes: Mapping[str, int]) -> dict[str, float]:
        """Returns min(e_m, K) ** (1 / T) for each task."""
        return {name: float(_clip(size, self.limit)) ** (1 / self.temperature) for name, size in sizes.items()}


def _clip(size: int, limit: int | None) -> int:
    return size if limit is None else min(size, limit)


def _check_limit(limit: int | None) -> None:
    if limit is not None and limit <= 0:
        raise ValueError(f"mixing.limit is {limit}: the limit K counts examples and must be 1 or more, or null")
