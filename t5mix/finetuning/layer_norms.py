"""Training the scales of the layer norms alone."""

from t5mix.configurable import configurable
from t5mix.finetuning.base import POLICIES, FineTuningPolicy, RunShape
from t5mix.finetuning.paths import is_layer_norm


@POLICIES.register("layer_norms")
@configurable
class LayerNorms(FineTuningPolicy):
    """The scales of the layer norms train, and nothing else."""

    def unfreeze_step(self, path: str, run: RunShape) -> int | None:
        """Returns 0 for norms."""
        return 0 if is_layer_norm(path) else None
