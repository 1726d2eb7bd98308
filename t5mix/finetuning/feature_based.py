"""Feature-based transfer: the frozen model computes features, and only what stands on top of them trains."""

from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx

from t5mix.configurable import configurable
from t5mix.finetuning.base import POLICIES, FineTuningPolicy, RunShape
from t5mix.model.layers import Embedding


class CorrectedEmbedding(Embedding):
    """A token embedding whose output end has a correction of its own, so that it trains apart from the input end.

    Args:
        base: the embedding; its table stays where it is.
    """

    def __init__(self, base: Embedding):
        self.embedding, self.dtype, self.input_gradient = base.embedding, base.dtype, base.input_gradient
        self.output_correction = nnx.Param(jnp.zeros(base.embedding.shape, jnp.float32))

    def output_table(self) -> jax.Array:
        """Returns the output matrix, [V, D]."""
        return self.embedding[...] + self.output_correction[...]


@POLICIES.register("feature_based")
@configurable
class FeatureBased(FineTuningPolicy):
    """The top of the decoder trains; all below is frozen, and passed without a gradient.

    Attributes:
        train: "last_decoder_block" trains the top block and the final norm, "decoder" the whole decoder, "output" the
            output matrix alone. Where that is the token embedding's, as in T5 1.0, a correction trains that starts at
            zero and concerns the output end only: the features stay what they are.
    """

    train: Literal["last_decoder_block", "decoder", "output"] = "last_decoder_block"

    def adapt(self, model: Any, rngs: Any) -> Any:
        """Parts the output matrix from the input embedding where that is to train and they are one."""
        if self.train == "output" and model.config.tie_embeddings:
            model.token_embedding = CorrectedEmbedding(model.token_embedding)
        return model

    def unfreeze_step(self, path: str, run: RunShape) -> int | None:
        """Returns 0 for the top."""
        if self.train == "output":
            top: tuple[str, ...] = ("output/", "token_embedding/output_correction")
        elif self.train == "decoder":
            top = ("decoder/",)
        else:
            top = (f"decoder/blocks/{run.model.num_decoder_layers - 1}/", "decoder/final_norm/")
        return 0 if path.startswith(top) else None
