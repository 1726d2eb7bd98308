"""Examples-proportional mixing (Raffel et al. 2020, section 3.5.2)."""

from collections.abc import Mapping

from t5mix.configurable import configurable
from t5mix.mixing.base import STRATEGIES, StaticStrategy


@STRATEGIES.register("proportional")
@configurable
class Proportional(StaticStrategy):
    """Examples-proportional mixing with an artificial limit on the data-set size: r_m = min(e_m, K).

    Attributes:
        limit: K in examples; None for no limit.
    """

    limit: int | None = None

    def __post_init__(self) -> None:
        check_limit(self.limit)

    def rates(self, sizes: Mapping[str, int]) -> dict[str, float]:
        """Returns min(e_m, K) for each task."""
        return {name: float(clip_size(size, self.limit)) for name, size in sizes.items()}


def clip_size(size: int, limit: int | None) -> int:
    """Returns min(e, K)."""
    return size if limit is None else min(size, limit)


def check_limit(limit: int | None) -> None:
    """Refuses a limit that is no number of examples.

    Raises:
        ValueError: it is not.
    """
    if limit is not None and limit <= 0:
        raise ValueError(f"mixing.limit is {limit}: the limit K counts examples and must be 1 or more, or null")
