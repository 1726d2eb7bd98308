"""The engine of an experiment is one thing, with its data and before it is there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from t5mix.config.experiment import Experiment
from t5mix.config.reading import policy_from_dict, policy_to_dict
from t5mix.errors import T5MixError
from t5mix.finetuning import LoRA, PerTask
from t5mix.runs.build_engine import (
    bind_policy,
    build_engine,
    checkpoint_metadata,
    parameter_shapes,
    training_phases,
)
from t5mix.runs.load import CheckpointMetadata

Make = Callable[..., Experiment]
BANK = ("finetuning=per_task", "finetuning.policy={kind:lora,rank:2}")


def test_the_tasks_are_those_of_the_data(finished: Any, experiment_of: Make, tmp_path: Path):
    experiment = experiment_of(tmp_path / "run", *BANK, "mixture=[demo]")
    assert bind_policy(experiment).tasks == ("demo",)
    bound = bind_policy(experiment, finished.data.manifest)
    assert bound.tasks == ("copy", "first")
    assert bound.bank == PerTask(policy=LoRA(rank=2), tasks=("copy", "first"))


@pytest.mark.parametrize("settings", [(), BANK, ("finetuning=gradual_unfreezing",)])
def test_with_data_or_without_the_same_parameters_train(
    finished: Any, experiment_of: Make, tmp_path: Path, settings: tuple[str, ...]
):
    experiment = experiment_of(tmp_path / "run", *settings)
    engine, before = build_engine(experiment, finished.data.manifest), build_engine(experiment)
    assert engine.phases == before.phases == training_phases(experiment)
    assert engine.params.keys() == parameter_shapes(experiment).keys()
    table = "token_embedding/embedding"
    assert engine.params[table].shape == (128, 16)  # of 64 ids, rounded up
    assert before.params[table].shape == (32_128, 16)
    assert parameter_shapes(experiment, vocab_size=1)[table].shape == (1, 16)
    for one in (engine, before):
        one.close()


def test_a_checkpoint_says_what_its_run_was_bound_to(finished: Any, experiment_of: Make, tmp_path: Path):
    manifest = finished.data.manifest
    experiment = experiment_of(tmp_path / "run", *BANK, "training.frozen_dtype=bfloat16")
    plain = checkpoint_metadata(experiment, manifest, build_engine(experiment, manifest))
    assert plain.keys() == {"model", "finetuning", "frozen_dtype", "vocabulary"}
    bank = PerTask(policy=LoRA(rank=2), tasks=("copy", "first"))
    assert plain["finetuning"] == policy_to_dict(bank)
    assert policy_from_dict(plain["finetuning"]) == bank
    assert plain["frozen_dtype"] == "bfloat16"
    metadata = CheckpointMetadata.read(finished.path / "checkpoints" / "6")
    assert metadata.kind == "full"
    assert metadata.vocabulary == manifest.vocabulary
    assert metadata.model.vocab_size == 128


def test_a_policy_that_does_not_fit_is_refused(experiment_of: Make, tmp_path: Path):
    training_phases(experiment_of(tmp_path / "run"))
    with pytest.raises(T5MixError, match="matches no parameter"):
        training_phases(experiment_of(tmp_path / "run", "finetuning=regex", "finetuning.train=['decodr/.*']"))
