"""Examples-proportional mixing (Raffel et al. 2020, section 3.5.2)."""

from collections.abc import Mapping

from t5mix.configurable import configurable
from t5mix.mixing.base import STRATEGIES, StaticStrategy


@STRATEGIES.register("proportional")
@configurable
class Proportional(StaticStrategy):
    """Examples-proportional mixing with an artificial max_examples on the data-set size: r_m = min(e_m, K).

    Attributes:
        max_examples: K in examples; None for no max_examples.
    """

    max_examples: int | None = None

    def __post_init__(self) -> None:
        check_max_examples(self.max_examples)

    def rates(self, sizes: Mapping[str, int]) -> dict[str, float]:
        """Returns min(e_m, K) for each task."""
        return {name: float(clip_size(size, self.max_examples)) for name, size in sizes.items()}


def clip_size(size: int, max_examples: int | None) -> int:
    """Returns min(e, K)."""
    return size if max_examples is None else min(size, max_examples)


def check_max_examples(max_examples: int | None) -> None:
    """Refuses a max_examples that is no number of examples.

    Raises:
        ValueError: it is not.
    """
    if max_examples is not None and max_examples <= 0:
        raise ValueError(
            f"mixing.max_examples is {max_examples}: the limit K counts examples and must be 1 or more, or null"
        )
