"""One finished run on hand-made stores, shared by the tests of what one does with a run."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from t5mix.config.compose import compose_experiment
from t5mix.config.experiment import Experiment
from t5mix.config.reading import read_experiment
from t5mix.data.manifest import DataManifest, DataRequest, VocabularyEntry

SETTINGS = (
    "mixture=[copy,first]",
    "model={d_model:16,d_ff:32,d_kv:8,num_heads:2,num_layers:1,num_decoder_layers:1,preset:tiny}",
    "lengths={inputs:16,targets:8}",
    "schedule.learning_rate=0.02",
    "training={steps:6,batch_size:8,log_every:2,checkpoint_every:2,evaluate_every:3,max_checkpoints_to_keep:2}",
)


class Data:
    """Stands in for the child process that prepares data; counts how often it was asked."""

    def __init__(self, manifest: DataManifest) -> None:
        self.manifest = dataclasses.replace(manifest, vocabulary=VocabularyEntry("bytes", "", "", 0, 64))
        self.requests: list[DataRequest] = []

    def prepare(self, request: DataRequest, **_: Any) -> DataManifest:
        self.requests.append(request)
        return dataclasses.replace(self.manifest, request=request)


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished run."""

    path: Path
    data: Data
    experiment: Experiment


@pytest.fixture(scope="session")
def experiment_of() -> Callable[..., Experiment]:
    """Returns a maker of experiments on the hand-made stores."""

    def make(run_dir: Path, *overrides: str) -> Experiment:
        return read_experiment(compose_experiment(overrides=[*SETTINGS, f"run_dir={run_dir}", *overrides]))

    return make


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny: Any, experiment_of: Callable[..., Experiment]) -> Run:
    """A run of six steps that has ended; not to be written to."""
    from t5mix.runs import build_engine
    from t5mix.runs import train as module

    folder = tmp_path_factory.mktemp("finished")
    data, experiment = Data(tiny.make_manifest(folder)), experiment_of(folder / "run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build_engine, "Engine", tiny.built_once)
        patch.setattr(module, "prepare_in_subprocess", data.prepare)
        assert module.train_experiment(experiment).finished
    return Run(folder / "run", data, experiment)


@pytest.fixture
def data(finished: Run, monkeypatch: pytest.MonkeyPatch, tiny: Any) -> Data:
    """The finished run's data, for other runs; engines with the same settings are one."""
    from t5mix.runs import build_engine, evaluation_data, predict, train

    monkeypatch.setattr(build_engine, "Engine", tiny.built_once)
    fresh = Data(finished.data.manifest)
    for module in (evaluation_data, predict, train):
        monkeypatch.setattr(module, "prepare_in_subprocess", fresh.prepare)
    return fresh
