"""Equal mixing (Raffel et al. 2020, section 3.5.2)."""

from collections.abc import Mapping

from t5mix.configurable import configurable
from t5mix.mixing.base import STRATEGIES, StaticStrategy


@STRATEGIES.register("equal")
@configurable
class Equal(StaticStrategy):
    """Every example of every batch is drawn uniformly over the tasks: r_m = 1."""

    def rates(self, sizes: Mapping[str, int]) -> dict[str, float]:
        """Returns 1 for each task."""
        return dict.fromkeys(sizes, 1.0)
