"""An experiment's policy bound to its tasks, and its engine: the same for training, reports, checks and estimates.

Each function takes the run's data (`DataManifest`), or None before there is any. Then the names in the mixture stand in
for its tasks, and the vocabulary, where the model's size is left to the data, for T5's own.
"""

import dataclasses
from typing import Any

from t5mix.config.experiment import Experiment
from t5mix.data.manifest import DataManifest
from t5mix.finetuning.base import BoundPolicy, RunShape
from t5mix.model.config import T5Config
from t5mix.model.presets import T5_VOCAB_SIZE
from t5mix.model.t5 import abstract_model
from t5mix.runs.load import CheckpointMetadata
from t5mix.training.engine import Engine
from t5mix.training.phases import TrainingPhases, divide_into_phases


def bind_policy(
    experiment: Experiment, manifest: DataManifest | None = None, previous: CheckpointMetadata | None = None
) -> BoundPolicy:
    """Returns an experiment's policy, bound to the tasks of its data.

    Args:
        experiment: the experiment.
        manifest: its data.
        previous: what the checkpoint says of itself that the run starts from or continues.

    Raises:
        T5MixError: the policy is for other tasks, or does not go on from the checkpoint's.
    """
    trained_before = None if previous is None else previous.policy
    if manifest is None:
        return experiment.finetuning.bind_for_shapes(experiment.mixture, trained_before)
    return experiment.finetuning.bind([task.name for task in manifest.tasks], trained_before)


def model_config(experiment: Experiment, manifest: DataManifest | None = None) -> T5Config:
    """Returns the shape of an experiment's model, vocabulary included.

    Raises:
        T5MixError: the model's embedding is too small for the vocabulary.
    """
    if manifest is not None:
        return experiment.model_for(manifest.vocabulary)
    return dataclasses.replace(experiment.model, vocab_size=experiment.model.vocab_size or T5_VOCAB_SIZE)


def build_engine(
    experiment: Experiment, manifest: DataManifest | None = None, previous: CheckpointMetadata | None = None
) -> Engine:
    """Returns the engine of an experiment.

    Args:
        experiment: the experiment.
        manifest: its data.
        previous: see `bind_policy`.

    Raises:
        T5MixError: see `bind_policy`; the policy does not fit the model or the run, or there are too few devices.
    """
    return Engine(
        model_config(experiment, manifest),
        bind_policy(experiment, manifest, previous),
        experiment.optimizer,
        experiment.schedule,
        experiment.training,
        experiment.mesh,
        experiment.seed,
    )


def checkpoint_metadata(experiment: Experiment, manifest: DataManifest, engine: Engine) -> dict[str, Any]:
    """Returns what each checkpoint of a run says of itself, as plain data (`CheckpointMetadata`)."""
    model, frozen_dtype = model_config(experiment, manifest), experiment.training.frozen_dtype
    return CheckpointMetadata(model, engine.policy.policy, manifest.vocabulary, frozen_dtype).to_json()


def parameter_shapes(
    experiment: Experiment, previous: CheckpointMetadata | None = None, *, vocab_size: int = T5_VOCAB_SIZE
) -> dict[str, Any]:
    """Returns the shapes of all parameters by path, before there is any data; allocates nothing.

    Args:
        experiment: the experiment.
        previous: see `bind_policy`.
        vocab_size: the model's, where that is left to the data.
    """
    model = dataclasses.replace(experiment.model, vocab_size=experiment.model.vocab_size or vocab_size)
    return abstract_model(model, bind_policy(experiment, previous=previous).adapt)[1]


def training_phases(experiment: Experiment) -> TrainingPhases:
    """Asks the policy about every parameter: which trains when, before there is any data; allocates nothing.

    Raises:
        T5MixError: the policy does not fit the model or the run.
    """
    run = RunShape(experiment.training.steps, model_config(experiment))
    return divide_into_phases(parameter_shapes(experiment), bind_policy(experiment), run)
