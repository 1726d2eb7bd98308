"""Training everything."""

from typing import Any

from t5mix.configurable import configurable
from t5mix.finetuning.base import POLICIES, RunShape


@POLICIES.register("full")
@configurable
class Full:
    """All parameters train from the first step, at the same rate."""

    def adapt(self, model: Any, rngs: Any) -> Any:
        """Returns the model as it is."""
        return model

    def unfreeze_step(self, path: str, run: RunShape) -> int | None:
        """Returns 0: every parameter trains from the start."""
        return 0

    def learning_rate_scale(self, path: str, run: RunShape) -> float:
        """Returns 1."""
        return 1.0
