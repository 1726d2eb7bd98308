"""Temperature-scaled mixing (Raffel et al. 2020, section 3.5.2)."""

import math
from collections.abc import Mapping

from t5mix.configurable import configurable
from t5mix.mixing.base import STRATEGIES, StaticStrategy
from t5mix.mixing.proportional import check_max_examples, clip_size


@STRATEGIES.register("temperature")
@configurable
class Temperature(StaticStrategy):
    """Temperature-scaled mixing: r_m = min(e_m, K) ** (1 / T), clipped first, then the root.

    Attributes:
        temperature: T; 1 is examples-proportional, and the larger it is the closer to equal (infinity is equal).
        max_examples: K in examples; None for no limit. The paper takes 2 ** 21.
    """

    temperature: float = 2.0
    max_examples: int | None = None

    def __post_init__(self) -> None:
        if math.isnan(self.temperature) or self.temperature <= 0:
            raise ValueError(
                f"mixing.temperature is {self.temperature}: it must be greater than 0 "
                "(1 is proportional, infinity is equal)"
            )
        check_max_examples(self.max_examples)

    def rates(self, sizes: Mapping[str, int]) -> dict[str, float]:
        """Returns min(e_m, K) ** (1 / T) for each task."""
        return {
            name: float(clip_size(size, self.max_examples)) ** (1 / self.temperature) for name, size in sizes.items()
        }
