"""What a run need not say because the checkpoint that it starts from says it."""

import dataclasses
from pathlib import Path

import pytest

from t5mix.config.compose import compose_experiment
from t5mix.config.experiment import Experiment
from t5mix.config.reading import read_experiment
from t5mix.errors import T5MixError
from t5mix.model.presets import DEFAULT_PRESET, PRESETS
from tests.support.huggingface_folders import TINY, write_folder

BYT5 = dataclasses.replace(TINY, vocab_size=384)


def read(*overrides: str, origin: str | None = None) -> Experiment:
    return read_experiment(compose_experiment(overrides=["run_dir=r", "mixture=demo", *overrides]), origin)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("byt5")
    return write_folder(path, BYT5, changed={"tokenizer_class": "ByT5Tokenizer", "dropout_rate": 0.25})


def test_without_a_checkpoint_the_default_is_taken():
    assert read().model == read("model=auto").model == PRESETS[DEFAULT_PRESET]
    assert read("start_from=not/there/yet").model == PRESETS[DEFAULT_PRESET]
    assert read().vocabulary is None


def test_shape_and_vocabulary_come_from_the_checkpoint(folder: Path):
    experiment = read(f"start_from={folder}")
    assert experiment.model == dataclasses.replace(BYT5, dropout_rate=experiment.model.dropout_rate)
    assert (experiment.vocabulary, experiment.extra_ids) == ("bytes", 0)


def test_what_is_said_stays(folder: Path):
    experiment = read(
        f"start_from={folder}", "model.dropout_rate=0.0", "model.dtype=bfloat16", "vocabulary=other.model"
    )
    assert experiment.model == dataclasses.replace(BYT5, dropout_rate=0.0, dtype="bfloat16")
    assert (experiment.vocabulary, experiment.extra_ids) == ("other.model", 100)
    assert read(f"start_from={folder}", "model=t5_small").model == PRESETS["t5_small"]  # refused where they meet


def test_a_chain_of_runs_has_the_model_of_its_origin(folder: Path):
    experiment = read("start_from=a-run-that-is-not-there-yet", origin=str(folder))
    assert experiment.model.d_model == BYT5.d_model
    assert experiment.start_from == "a-run-that-is-not-there-yet"


def test_a_damaged_checkpoint_is_told_at_once(folder: Path, tmp_path: Path):
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    with pytest.raises(T5MixError, match=r"holds no weights"):
        read(f"start_from={tmp_path}")
