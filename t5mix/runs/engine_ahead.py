"""The engine of a run, built and compiled while the data is still being prepared.

Preparing starts a process that loads TensorFlow, also when all stores are there already. What the same request gave the
last time is most likely what it will give now, and it is all that an engine depends on. If it turns out otherwise, the
engine is built anew.
"""

import contextlib
from pathlib import Path

import jax

from t5mix.config.experiment import Experiment
from t5mix.console.stage import stage
from t5mix.data.batch import array_shapes
from t5mix.data.manifest import DataManifest
from t5mix.errors import T5MixError
from t5mix.runs.build_engine import build_engine
from t5mix.runs.load import CheckpointMetadata
from t5mix.training.engine import Engine


class EngineAhead:
    """Builds the engine of a run.

    Args:
        experiment: the run.
        previous: what the checkpoint says of itself that the run starts from or continues.
        start_from: the checkpoint that its parameters come from; None for fresh ones.
    """

    def __init__(self, experiment: Experiment, previous: CheckpointMetadata | None, start_from: Path | None) -> None:
        self._experiment, self._previous, self._start_from = experiment, previous, start_from
        self._guess: DataManifest | None = None
        self._built: Engine | None = None

    def build_ahead(self, guess: DataManifest | None) -> None:
        """Builds and compiles what a run on data like this one needs; None if there is no telling."""
        if guess is None or jax.process_count() > 1:  # the other processes would have to guess the same
            return
        with stage("Compiling"), contextlib.suppress(T5MixError):  # whatever is wrong is said once the data is known
            engine = self._built = self._build(guess)
            self._guess = guess
            shape = self._experiment.training.batch_shape(
                self._experiment.lengths.inputs, self._experiment.lengths.targets, engine.prompt_length
            )
            engine.start_ahead(self._start_from, array_shapes(shape))

    def build(self, manifest: DataManifest) -> Engine:
        """Returns the engine of a run on this data.

        Raises:
            T5MixError: see `build_engine`.
        """
        if self._built is not None and self._guess == manifest:
            return self._built
        if self._built is not None:
            self._built.close()
        return self._build(manifest)

    def _build(self, manifest: DataManifest) -> Engine:
        return build_engine(self._experiment, manifest, self._previous)
