"""What a training run consists of, and how it ended."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from t5mix.checkpoint.reader import Base
from t5mix.data.manifest import DataManifest
from t5mix.data.packing import BatchShape
from t5mix.data.pipeline import ShardStores
from t5mix.mixing.base import MixingStrategy
from t5mix.mixing.task_sizes import Unit
from t5mix.tracking.run_directory import RunDirectory
from t5mix.training.config import TrainingConfig
from t5mix.training.engine import Engine


@dataclasses.dataclass(frozen=True)
class TrainingJob:
    """All that a training run consists of.

    Attributes:
        directory: the run's folder.
        manifest: its data.
        shards: makes the stores of random and streamed tasks; None where there are no such tasks.
        strategy: how tasks are mixed.
        unit: what sizes and proportions count.
        config: the loop's settings.
        engine: the compiled functions.
        start_from: checkpoint that the parameters come from; None for fresh ones.
        seed: of the data stream.
        checkpoint_metadata: what each checkpoint should say of itself: model, policy, vocabulary.
        base: the checkpoint that holds what this run's own leave out; None if they leave out nothing.
        from_base: those parameters, by path.
        reference: gives a reference model's cross-entropy of each target token of a batch, for a strategy that asks by
            how much the losses exceed it; None where none does.
    """

    directory: RunDirectory
    manifest: DataManifest
    shards: ShardStores | None
    strategy: MixingStrategy
    unit: Unit
    config: TrainingConfig
    engine: Engine
    start_from: Path | None
    seed: int
    checkpoint_metadata: Mapping[str, Any]
    base: Base | None = None
    from_base: frozenset[str] = frozenset()
    reference: Callable[[Mapping[str, np.ndarray]], Any] | None = None

    @property
    def shape(self) -> BatchShape:
        """The shape of a training batch."""
        request = self.manifest.request
        return self.config.batch_shape(request.inputs_length, request.targets_length, self.engine.prompt_length)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        step: updates completed.
        finished: whether that is all of them.
        signal: the name of the signal that stopped it early, or None.
    """

    step: int
    finished: bool
    signal: str | None = None
