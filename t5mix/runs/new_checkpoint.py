"""Writing a checkpoint that no training wrote: merged, extracted or imported."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from t5mix.checkpoint.train_state import TrainState
from t5mix.checkpoint.writer import Checkpoints
from t5mix.runs.load import CheckpointMetadata
from t5mix.tracking.run_directory import keep_vocabulary


def write_checkpoint(
    out: Path, metadata: CheckpointMetadata, params: Mapping[str, jax.Array], origin: Mapping[str, Any], step: int = 0
) -> None:
    """Writes a checkpoint without an optimizer's state, and its vocabulary beside it.

    Args:
        out: the folder that is to hold `checkpoints/STEP` and the vocabulary.
        metadata: what the checkpoint says of itself.
        params: its parameters by path, kept as float32.
        origin: where they come from, for its `run_state`.
        step: the step that it counts as.
    """
    float_params = {name: jnp.asarray(leaf, jnp.float32) for name, leaf in params.items()}
    checkpoints = Checkpoints(out / "checkpoints")
    checkpoints.save(TrainState(jnp.int32(step), float_params, {}, ()), {**metadata.to_json(), **origin, "best": {}})
    checkpoints.close()
    keep_vocabulary(metadata.vocabulary, out)
