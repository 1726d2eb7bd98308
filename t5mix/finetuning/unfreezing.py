"""Gradual unfreezing: from the top of the stacks down (Howard and Ruder 2018; Raffel et al. 2020, section 3.5.1)."""

import itertools
import math
from typing import Any

from t5mix.configurable import configurable
from t5mix.finetuning.base import POLICIES, FineTuningPolicy, RunShape
from t5mix.finetuning.paths import block_position


@POLICIES.register("gradual_unfreezing")
@configurable
class GradualUnfreezing(FineTuningPolicy):
    """More and more blocks train, from the top down, in the encoder and the decoder alike.

    With L blocks in the deeper stack and N steps there are L episodes of N / L steps; in episode n, from 1, the top n
    blocks train. Where a stack is shallower its boundary moves in proportion, so that both are open at the same time.
    The token embedding, which T5 1.0 shares with the output, trains throughout, and so does an output matrix of its
    own. The paper leaves the rest open; here the final norms train throughout, and the relative position biases with
    the bottom block, whose attention they belong to.

    Attributes:
        starts: the step at which each episode begins, as shares of the run from 0 up, or None for the paper's even
            ones. There may be fewer episodes than blocks: each opens an equal part of them.
        embedding: "both" trains a shared embedding through both its ends, so that activations are differentiated down
            to the input; "output" through the output alone. Below the open blocks of the encoder nothing is then
            differentiated; the decoder is passed as a whole, since every block of it reads the encoder.
    """

    starts: tuple[float, ...] | None = None
    embedding: str = "both"

    def __post_init__(self) -> None:
        if self.embedding not in ("both", "output"):
            raise ValueError(f"finetuning.embedding is {self.embedding!r}: it must be 'both' or 'output'")
        starts = self.starts
        if starts is None:
            return
        rising = all(first < second for first, second in itertools.pairwise(starts))
        if not starts or starts[0] != 0 or not rising or starts[-1] >= 1:
            raise ValueError(
                f"finetuning.starts is {list(starts)}: give shares of the run that begin with 0, rise, and stay below 1"
            )

    def adapt(self, model: Any, rngs: Any) -> Any:
        """Returns the model as it is, or cut off from its input embedding's gradient."""
        model.token_embedding.input_gradient = self.embedding == "both"
        return model

    def unfreeze_step(self, path: str, run: RunShape) -> int | None:
        """Returns the first step of the episode in which the parameter's block is among the top ones."""
        position = block_position(path)
        if position is None:
            unreached = path == "token_embedding/embedding" and not run.model.tie_embeddings
            if unreached and self.embedding == "output":
                return None  # the input end is cut off, and the output has a matrix of its own
            if "relative_bias" not in path:
                return 0
            stack, block = path.split("/")[0], 0
        else:
            stack, block = position
        depths = {"encoder": run.model.num_layers, "decoder": run.model.num_decoder_layers}
        episodes = len(self.starts) if self.starts else max(depths.values())
        # The smallest n for which the top ceil(n * depth / episodes) blocks of the stack include this one.
        from_top = depths[stack] - block
        episode = math.floor((from_top - 1) * episodes / depths[stack]) + 1
        if self.starts is not None:
            return round(self.starts[episode - 1] * run.steps)
        return (episode - 1) * run.steps // episodes
