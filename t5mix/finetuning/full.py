"""Training everything."""

from t5mix.configurable import configurable
from t5mix.finetuning.base import POLICIES, FineTuningPolicy, RunShape


@POLICIES.register("full")
@configurable
class Full(FineTuningPolicy):
    """All parameters train from the first step, at the same rate."""

    def unfreeze_step(self, path: str, run: RunShape) -> int | None:
        """Returns 0: every parameter trains from the start."""
        return 0
