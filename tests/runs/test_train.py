import dataclasses
import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from t5mix.config.experiment import Experiment
from t5mix.data.manifest import DataManifest
from t5mix.errors import T5MixError
from t5mix.runs import train as train_module
from t5mix.runs.train import train_experiment
from t5mix.tracking.run_directory import RunDirectory
from t5mix.training.engine import Engine

Make = Callable[..., Experiment]


def test_a_run_directory_explains_itself(finished: Any):
    directory = RunDirectory(finished.path)
    assert directory.experiment() == finished.experiment.to_json()
    raw = json.loads((finished.path / "experiment.json").read_text("utf-8"))
    assert {"python", "t5mix", "jax", "numpy"} <= raw["versions"].keys()
    manifest = directory.manifest()
    assert manifest is not None
    assert [task.name for task in manifest.tasks] == ["copy", "first"]
    assert {entry.name for entry in finished.path.iterdir()} == {
        *(
            ".lock",
            "checkpoints",
            "data_manifest.json",
            "experiment.json",
            "metrics.jsonl",
            "result.json",
            "tensorboard",
        )
    }


def test_the_result_says_what_came_out(finished: Any, tiny: Any):
    result: Any = RunDirectory(finished.path).result()
    lines = tiny.logged(finished.path)
    training = [line for line in lines if line["kind"] == "train"]
    assert result["steps"] == 6
    assert result["seconds"] > 0
    assert result["peak_memory_bytes"] > 2**20
    assert result["parameters"]["total"] == result["parameters"]["trained"] > 5000
    assert result["hardware"]["platform"] == "cpu"
    assert result["validation"] == [line for line in lines if line["kind"] == "evaluation"][-1]["tasks"]
    assert result["best"].keys() == {"copy", "first"}
    for name, size in (("copy", 40), ("first", 24)):
        mixture = result["mixture"][name]
        assert mixture["size"] == size
        assert mixture["examples"] == sum(line["tasks"][name]["examples"] for line in training)
        assert mixture["tokens"] == sum(line["tasks"][name]["tokens"] for line in training)
        assert mixture["loss_tokens"] == sum(line["tasks"][name]["loss_tokens"] for line in training)
        assert mixture["epochs"] == pytest.approx(mixture["examples"] / size)
    assert sum(mixture["proportion"] for mixture in result["mixture"].values()) == pytest.approx(1)


def test_the_request_says_what_the_experiment_wants(finished: Any):
    (request,) = finished.data.requests
    assert request == finished.experiment.data_request()
    assert request.splits == ("train", "validation")


def interrupt_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    original, done = Engine.step, []

    def step(self: Engine, state: Any, batch: Any) -> Any:
        done.append(1)
        if len(done) == steps:
            signal.raise_signal(signal.SIGTERM)
        return original(self, state, batch)

    monkeypatch.setattr(Engine, "step", step)


def test_a_stopped_run_goes_on_with_the_data_it_has(
    finished: Any, data: Any, tiny: Any, experiment_of: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patch:
        interrupt_after(3, patch)
        outcome = train_experiment(experiment_of(tmp_path / "run"))
    assert (outcome.step, outcome.finished, outcome.signal) == (3, False, "SIGTERM")
    assert RunDirectory(tmp_path / "run").result() is None
    assert len(data.requests) == 1
    assert train_experiment(experiment_of(tmp_path / "run")).finished
    assert len(data.requests) == 1  # locked and still there
    assert tiny.logged(tmp_path / "run") == tiny.logged(finished.path)
    keys = ("steps", "mixture", "validation", "best", "parameters")
    found: Any = RunDirectory(tmp_path / "run").result()
    expected: Any = RunDirectory(finished.path).result()
    assert {key: found[key] for key in keys} == {key: expected[key] for key in keys}


def copy_of(finished: Any, folder: Path) -> Path:
    shutil.copytree(finished.path, folder)
    return folder


def test_a_finished_run_is_not_trained_again(finished: Any, data: Any, tmp_path: Path, experiment_of: Make, tiny: Any):
    run = copy_of(finished, tmp_path / "run")
    assert train_experiment(experiment_of(run)).finished
    assert data.requests == []
    assert tiny.logged(run) == tiny.logged(finished.path)


def test_a_run_that_another_process_trains_is_refused(data: Any, tmp_path: Path, experiment_of: Make):
    with (
        RunDirectory(tmp_path / "run").locked(),
        pytest.raises(T5MixError, match=r"run is already being trained, by process \d+ on "),
    ):
        train_experiment(experiment_of(tmp_path / "run"))
    assert data.requests == []


def test_other_settings_are_refused_before_any_work(finished: Any, data: Any, tmp_path: Path, experiment_of: Make):
    run = copy_of(finished, tmp_path / "run")
    with pytest.raises(T5MixError, match=r"training\.batch_size: 8 there, 16 here"):
        train_experiment(experiment_of(run, "training.batch_size=16"))
    assert data.requests == []


def test_data_that_is_gone_is_made_again(finished: Any, data: Any, tmp_path: Path, experiment_of: Make, tiny: Any):
    run = copy_of(finished, tmp_path / "run")
    manifest: Any = RunDirectory(run).manifest()
    moved = tuple(
        dataclasses.replace(
            task,
            splits={name: dataclasses.replace(entry, path=entry.path + "-gone") for name, entry in task.splits.items()},
        )
        for task in manifest.tasks
    )
    dataclasses.replace(manifest, tasks=moved).save(run / "data_manifest.json")
    assert train_experiment(experiment_of(run)).finished
    assert len(data.requests) == 1

    dataclasses.replace(manifest, tasks=moved).save(run / "data_manifest.json")
    first = manifest.tasks[0]
    entry = dataclasses.replace(first.splits["train"], fingerprint="another")
    changed = dataclasses.replace(first, splits={**first.splits, "train": entry})
    data.manifest = dataclasses.replace(data.manifest, tasks=(changed, *manifest.tasks[1:]))
    with pytest.raises(T5MixError, match=r"data of .* has changed since the run began: copy \(train\)\. Put the old"):
        train_experiment(experiment_of(run))


def test_a_phase_after_the_end_is_noticed_before_the_data(data: Any, tmp_path: Path, experiment_of: Make):
    with pytest.raises(T5MixError, match=r"mixing\.switch is 1,000,000, and the run has 6 steps"):
        train_experiment(experiment_of(tmp_path / "run", "mixing=two_phase", "mixing.switch=1000000"))
    assert data.requests == []


def test_too_few_devices_are_noticed_before_the_data(data: Any, tmp_path: Path, experiment_of: Make):
    with pytest.raises(T5MixError, match=r"ask for 64 devices"):
        train_experiment(experiment_of(tmp_path / "run", "mesh.data=64"))
    assert data.requests == []
    assert not (tmp_path / "run").exists()


def test_a_run_continues_from_another_model(finished: Any, data: Any, tmp_path: Path, experiment_of: Make, tiny: Any):
    outcome = train_experiment(experiment_of(tmp_path / "run", f"start_from={finished.path}", "training.steps=2"))
    assert outcome.step == 2
    assert (
        data.requests[0].start_vocabulary == data.manifest.vocabulary.identity
    )  # the child compares it with the data's
    first = next(line for line in tiny.logged(tmp_path / "run") if line["kind"] == "train")
    assert first["loss"] < next(line for line in tiny.logged(finished.path) if line["kind"] == "train")["loss"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["start_from=/nowhere"], "/nowhere is no run of t5mix: there is no such folder"),
        (["start_from={run}", "model.d_model=32"], r"holds another model: model\.d_model is 16 there and 32"),
        (["model.vocab_size=10"], r"model\.vocab_size is 10, and the vocabulary bytes has 64 ids"),
    ],
)
def test_a_start_that_does_not_fit_is_refused(
    finished: Any,
    data: Any,
    tmp_path: Path,
    experiment_of: Make,
    overrides: list[str],
    message: str,
):
    overrides = [override.replace("{run}", str(finished.path)) for override in overrides]
    with pytest.raises(T5MixError, match=message):
        train_experiment(experiment_of(tmp_path / "run", *overrides))
    assert not (tmp_path / "run").exists()


def test_a_folder_that_may_not_be_written_to_is_refused_before_any_data(
    data: Any, tmp_path: Path, experiment_of: Make, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(T5MixError, match=r"run_dir is .*run, and you may not write to .* Choose another run_dir"):
        train_experiment(experiment_of(tmp_path / "run"))
    assert data.requests == []


def test_stores_that_could_not_be_written_are_refused_before_any_data(
    data: Any, tmp_path: Path, experiment_of: Make, monkeypatch: pytest.MonkeyPatch
):
    stores = tmp_path / "stores"
    experiment = experiment_of(tmp_path / "run", f"store_dir={stores}", "training.steps=1")
    stores.mkdir()
    monkeypatch.setattr("os.access", lambda path, mode: path != stores)
    with pytest.raises(T5MixError, match=r"store_dir is .*stores, and you may not write to .* Choose another store_"):
        train_experiment(experiment)
    assert data.requests == []
    (stores / "demo_qa").mkdir()  # what is there may be all that is needed
    train_experiment(experiment)
    assert len(data.requests) == 1


def test_what_the_child_reports_reaches_the_user(tmp_path: Path, experiment_of: Make, monkeypatch: pytest.MonkeyPatch):
    def failing(request: Any, **options: Any) -> DataManifest:
        raise T5MixError("the file is missing")

    monkeypatch.setattr(train_module, "prepare_in_subprocess", failing)
    with pytest.raises(T5MixError, match="the file is missing"):
        train_experiment(experiment_of(tmp_path / "run"))
    assert not (tmp_path / "run").exists()
