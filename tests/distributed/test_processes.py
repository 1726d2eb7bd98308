"""Several processes: the same data, the same losses, one set of files, and runs that go from some to one and back."""

import dataclasses
import shutil
import signal
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import numpy as np
import pytest
from jax.sharding import AxisType, Mesh, NamedSharding

from t5mix.data.packing import BatchShape
from t5mix.data.pipeline import task_data, training_batches
from t5mix.distributed.consensus import StopConsensus
from t5mix.distributed.processes import (
    DistributedConfig,
    all_gather,
    is_main_process,
    join,
    processes_that_differ,
    run_on_main_process,
)
from t5mix.errors import T5MixError
from t5mix.tracking.run_directory import RunDirectory
from t5mix.training import trainer
from t5mix.training.config import IN_FLIGHT, TrainingConfig
from t5mix.training.job import Outcome
from t5mix.training.sharding import BATCH, local_rows
from t5mix.training.trainer import train

STEPS = 9
STOP = 5
CONFIG = TrainingConfig(steps=STEPS, batch_size=8, packing_buffer=12, log_every=4, checkpoint_every=8, evaluate_every=8)
SETTINGS = (
    "mixture=[copy,first]",
    "model={d_model:16,d_ff:32,d_kv:8,num_heads:2,num_layers:1,num_decoder_layers:1,vocab_size:64,preset:tiny}",
    "lengths={inputs:16,targets:8}",
    "training={steps:3,batch_size:8,log_every:1,evaluate_every:2}",
    "mesh.data=-1",
)


@pytest.mark.parametrize("pack", [True, False])
def test_the_rows_of_all_hosts_are_the_global_batch_for_200_steps(tiny: ModuleType, tmp_path: Path, pack: bool):
    tasks = [task_data(entry) for entry in tiny.make_manifest(tmp_path).tasks]
    shape = BatchShape(rows=8, inputs=tiny.INPUTS, targets=tiny.TARGETS, pack=pack, packing_buffer=12)

    def batches(rows: slice | None) -> Any:
        return training_batches(tasks, shape, seed=3, proportions=lambda step: np.asarray([0.7, 0.3]), rows=rows)

    whole = batches(None)
    hosts = {n: [batches(slice(i * 8 // n, (i + 1) * 8 // n)) for i in range(n)] for n in (1, 2, 4)}
    for _ in range(200):
        expected = next(whole)
        for parts in hosts.values():
            found = [next(part) for part in parts]
            for name, array in expected.arrays.items():
                assert b"".join(part.arrays[name].tobytes() for part in found) == array.tobytes()
            assert all(part.state == expected.state for part in found)
            np.testing.assert_array_equal(found[-1].counts.examples, expected.counts.examples)


class Runs:
    """One run on one process, and what two processes made of it: all of it, its end, its beginning."""

    def __init__(self, tiny: ModuleType, folder: Path) -> None:
        self.tiny, self.folder = tiny, folder
        self.manifest = tiny.with_choices(tiny.make_manifest(folder), "choice_accuracy")
        self.manifest.save(folder / "data_manifest.json")
        recorded = tiny.Recorded(tiny.make_engine(CONFIG))
        assert self.on_one("one", recorded).finished
        recorded.save(folder / "one.npz")
        stop = tiny.Watched(tiny.make_engine(CONFIG), tiny.signal_after(STOP, signal.SIGTERM))
        assert self.on_one("one_then_two", stop) == Outcome(STOP, finished=False, signal="SIGTERM")
        shutil.copytree(folder / "one_then_two", folder / "damaged")
        (folder / "damaged" / "checkpoints" / str(STOP) / "run_state" / "metadata").write_text("{}", encoding="utf-8")
        self.printed = tiny.run_processes(folder, [self.jobs(process) for process in range(2)])
        self.printed_by_one = self.on_one("two_then_one", tiny.make_engine(CONFIG))

    def on_one(self, name: str, engine: Any) -> Outcome:
        return train(self.tiny.make_job(self.folder / name, self.manifest, CONFIG, engine=engine))

    def jobs(self, process: int) -> list[dict[str, Any]]:
        def job(name: str, **changes: Any) -> dict[str, Any]:
            common = {"manifest": str(self.folder / "data_manifest.json"), "training": dataclasses.asdict(CONFIG)}
            return {**common, "run_dir": str(self.folder / name), "mesh": {"data": 2}, **changes}

        def configured(*more: str) -> dict[str, Any]:
            places = [f"run_dir={self.folder / 'configured'}", f"store_dir={self.folder / 'stores'}"]
            return job("configured", settings=[*SETTINGS, *places, *more])

        return [
            job("two", record=str(self.folder / f"two-{process}.npz")),
            job("one_then_two"),
            job("two_then_one", **({"stop": STOP} if process == 1 else {})),  # the other hears of it
            job("damaged"),
            job("refused", mesh={"data": 1}),
            configured(),
            configured(f"seed={process}"),
        ]


@pytest.fixture(scope="module")
def runs(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(tiny, tmp_path_factory.mktemp("hosts"))


@pytest.mark.slow
def test_two_processes_are_given_the_rows_of_one(runs: Runs):
    whole, *parts = (np.load(runs.folder / f"{name}.npz") for name in ("one", "two-0", "two-1"))
    assert whole["decoder_targets"].shape == (STEPS, 8, runs.tiny.TARGETS)
    for name in whole.files:
        assert np.concatenate([part[name] for part in parts], axis=1).tobytes() == whole[name].tobytes(), name


@pytest.mark.slow
def test_all_processes_end_alike(runs: Runs):
    done = {"step": STEPS, "finished": True, "signal": None}
    stopped = {"step": STOP + IN_FLIGHT, "finished": False, "signal": "SIGTERM"}
    for printed in runs.printed:
        assert printed[:3] == [done, done, stopped]
    assert runs.printed_by_one == Outcome(STEPS, finished=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["two", "one_then_two", "two_then_one"])
def test_the_number_of_processes_changes_no_loss(runs: Runs, name: str):
    expected, found = runs.tiny.logged(runs.folder / "one"), runs.tiny.logged(runs.folder / name)
    assert [(line["kind"], line["step"]) for line in found] == [(line["kind"], line["step"]) for line in expected]
    for one, other in zip(expected, found, strict=True):
        if one["kind"] == "train":
            assert other["loss"] == pytest.approx(one["loss"], rel=1e-5)
        for task, values in one["tasks"].items():
            assert other["tasks"][task]["loss"] == pytest.approx(values["loss"], rel=1e-5)
            for key in ("examples", "loss_tokens", "tokens", "epochs", "proportion", "choice_accuracy"):
                assert other["tasks"][task].get(key) == values.get(key)
    evaluated = [line["tasks"]["first"] for line in found if line["kind"] == "evaluation"]
    assert all("choice_accuracy" in values for values in evaluated)
    assert evaluated


@pytest.mark.slow
def test_one_process_writes_for_all(runs: Runs):
    run = runs.folder / "two"
    assert len(list((run / "tensorboard").iterdir())) == 1
    assert (run / "checkpoints" / str(STEPS) / "crc32.json").exists()
    expected, found = ({p.name for p in (runs.folder / n / "checkpoints").iterdir()} for n in ("one", "two"))
    assert found == expected


@pytest.mark.slow
def test_what_stops_the_first_process_stops_all(runs: Runs):
    errors = [printed[3]["error"] for printed in runs.printed]
    assert "is damaged: run_state/metadata does not match its checksum" in errors[0]
    assert errors[1] == f"Process 0: {errors[0]}"


@pytest.mark.slow
def test_a_mesh_that_leaves_a_process_out_is_refused(runs: Runs):
    for printed in runs.printed:
        assert "use 1 of the 2 devices of 2 processes. Set mesh.data=-1" in printed[4]["error"]


@pytest.mark.slow
def test_a_configured_run_has_one_result(runs: Runs):
    directory = RunDirectory(runs.folder / "configured")
    for printed in runs.printed:
        assert printed[5] == {"step": 3, "finished": True, "signal": None}
    result: Any = directory.result()
    assert result["hardware"]["processes"] == 2
    assert [line["step"] for line in runs.tiny.logged(directory.path) if line["kind"] == "train"] == [1, 2, 3]


@pytest.mark.slow
def test_processes_with_other_settings_are_refused(runs: Runs):
    for printed in runs.printed:
        assert printed[6]["error"].startswith("The processes [1] were started with other settings than process 0")


def test_alone_there_is_nobody_to_ask(tiny: ModuleType):
    def fail() -> None:
        raise KeyError("x")

    join(DistributedConfig())
    assert is_main_process()
    assert run_on_main_process(lambda: 3) == 3
    assert all_gather("x") == ["x"]
    assert processes_that_differ({"a": 1}) == []
    with pytest.raises(KeyError):
        run_on_main_process(fail)
    assert StopConsensus(tiny.make_engine(CONFIG).mesh, delay=2)(15) == 15


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"auto": True, "processes": 2}, "distributed.auto is true, and the cluster says the rest"),
        ({"processes": 2, "process": 0}, "distributed.coordinator is null: .* belong together"),
        ({"coordinator": "here:1"}, "distributed.processes and distributed.process is null"),
        ({"coordinator": "here", "processes": 2, "process": 0}, "is 'here': it must be host:port"),
        ({"coordinator": "here:1", "processes": 2, "process": 2}, "process is 2: .* from 0 to 1"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        DistributedConfig(**settings)


@pytest.mark.slow
def test_processes_that_part_write_no_checkpoint(runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(trainer, "processes_that_differ", lambda host: [1])
    job = runs.tiny.make_job(tmp_path / "run", runs.manifest, CONFIG, engine=runs.tiny.make_engine(CONFIG))
    with pytest.raises(T5MixError, match=r"At step 8 the processes \[1\] have other data or other losses"):
        train(job)
    assert list((tmp_path / "run" / "checkpoints").iterdir()) == []


class Placed:
    """A batch sharding that gives this process some blocks of rows."""

    def __init__(self, *blocks: slice) -> None:
        self._blocks = blocks

    def addressable_devices_indices_map(self, shape: tuple[int, ...]) -> dict[int, Any]:
        return {device: (block,) for device, block in enumerate(self._blocks)}


def test_the_rows_of_a_process_lie_together():
    mesh = Mesh(np.asarray(jax.devices()[:1]).reshape(1, 1), ("data", "fsdp"), axis_types=(AxisType.Auto,) * 2)
    assert local_rows(NamedSharding(mesh, BATCH), 8) == slice(0, 8)
    scattered: Any = Placed(slice(2, 4), slice(6, 8))
    with pytest.raises(T5MixError, match="has the rows 2 to 3, 6 to 7 of a batch: they must lie together"):
        local_rows(scattered, 8)
    together: Any = Placed(slice(6, 8), slice(4, 6))
    assert local_rows(together, 8) == slice(4, 8)


def test_no_cluster_is_reported(monkeypatch: pytest.MonkeyPatch):
    def nothing(*_: Any, **__: Any) -> None:
        raise ValueError("coordinator_address should be defined.")

    monkeypatch.setattr(jax.distributed, "initialize", nothing)
    monkeypatch.setattr(jax.config, "update", lambda *_: None)
    with pytest.raises(T5MixError, match=r"distributed\.auto needs a TPU pod, SLURM, Open MPI or Kubernetes"):
        join(DistributedConfig(auto=True))
