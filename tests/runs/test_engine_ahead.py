import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from t5mix.config.experiment import Experiment
from t5mix.data.manifest import DataManifest
from t5mix.errors import T5MixError
from t5mix.runs.engine_ahead import EngineAhead
from t5mix.tracking.run_directory import RunDirectory
from t5mix.training.engine import Engine

Make = Callable[..., Experiment]


@pytest.fixture
def manifest(finished: Any) -> DataManifest:
    found = RunDirectory(finished.path).manifest()
    assert found is not None
    return found


def test_what_was_built_ahead_is_taken_if_the_data_is_as_guessed(
    manifest: DataManifest, experiment_of: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    engines = EngineAhead(experiment_of(tmp_path / "run"), None, None)
    engines.build_ahead(manifest)
    engine = engines.build(manifest)
    plain = EngineAhead(experiment_of(tmp_path / "run"), None, None).build(manifest)
    expected = plain.start(None)
    plain.close()
    monkeypatch.setattr(Engine, "_fresh", None)  # they are there
    for path, leaf in engine.start(None).params.items():
        np.testing.assert_array_equal(np.asarray(leaf), np.asarray(expected.params[path]), err_msg=path)
    engine.close()


def test_another_answer_than_the_guess_means_another_engine(
    manifest: DataManifest, experiment_of: Make, tmp_path: Path
):
    engines = EngineAhead(experiment_of(tmp_path / "run"), None, None)
    engines.build_ahead(dataclasses.replace(manifest, tasks=manifest.tasks[:1]))
    guessed = engines._built
    engine = engines.build(manifest)
    assert guessed is not None
    assert engine is not guessed
    assert engine.policy.num_tasks == len(manifest.tasks)
    engine.close()


def test_without_a_guess_or_with_one_that_does_not_fit_nothing_is_built_ahead(
    manifest: DataManifest, experiment_of: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    engines = EngineAhead(experiment_of(tmp_path / "run"), None, None)
    engines.build_ahead(None)
    assert engines._built is None

    def refuse(*arguments: Any) -> None:
        raise T5MixError("it does not fit")

    monkeypatch.setattr(engines, "_build", refuse)
    engines.build_ahead(manifest)
    assert engines._built is None
    with pytest.raises(T5MixError, match="it does not fit"):
        engines.build(manifest)
