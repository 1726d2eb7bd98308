"""Devices and trainable sets: neither the number of devices nor a frozen parameter changes what is computed."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import numpy as np
import pytest

from t5mix.configurable import configurable
from t5mix.data.packing import BatchShape
from t5mix.data.pipeline import task_data, training_batches
from t5mix.errors import T5MixError
from t5mix.finetuning import IA3, Adapter, Full, LoRA, RegexPolicy
from t5mix.finetuning.base import FineTuningPolicy, RunShape
from t5mix.training.config import TrainingConfig
from t5mix.training.engine import Engine
from t5mix.training.optimizer import AdamW
from t5mix.training.schedule import Constant
from t5mix.training.sharding import MeshConfig
from t5mix.training.trainer import train

CONFIG = TrainingConfig(
    steps=8, batch_size=8, log_every=1, checkpoint_every=4, evaluate_every=4, max_checkpoints_to_keep=3
)


@configurable
class OnlyNorms(FineTuningPolicy):
    """Trains the norms."""

    def unfreeze_step(self, path: str, run: RunShape) -> int | None:
        return 0 if path.endswith("/scale") else None


@configurable
class Nothing(OnlyNorms):
    def unfreeze_step(self, path: str, run: RunShape) -> int | None:
        return None


def engine_of(tiny: ModuleType, policy: Any) -> Engine:
    training = TrainingConfig(steps=8, batch_size=8)
    policy = policy.bind(("copy", "first"))
    return tiny.built_once(tiny.model_config(), policy, AdamW(), Constant(), training, MeshConfig(), 0)


def test_frozen_parameters_have_no_optimizer_state_and_never_move(tiny: ModuleType, tmp_path: Path):
    engine = engine_of(tiny, OnlyNorms())
    assert engine.num_trained == sum(leaf.size for path, leaf in engine.params.items() if path.endswith("/scale"))
    assert engine.num_trained < engine.num_parameters
    state = engine.start(None)
    assert sum(leaf.size for leaf in jax.tree.leaves(state.optimizer)) < 2 * engine.num_trained + 5
    before = {path: np.asarray(leaf) for path, leaf in state.params.items()}
    tasks = [task_data(entry) for entry in tiny.make_manifest(tmp_path).tasks]
    shape = BatchShape(rows=8, inputs=tiny.INPUTS, targets=tiny.TARGETS)
    batches = training_batches(tasks, shape, seed=0, proportions=lambda step: np.asarray([0.5, 0.5]))
    for _ in range(2):
        state, metrics = engine.step(state, next(batches).arrays)
    assert float(metrics.gradient_norm) > 0
    for path, leaf in state.params.items():
        assert np.array_equal(np.asarray(leaf), before[path]) != path.endswith("/scale"), path


def test_a_policy_that_trains_nothing_is_refused(tiny: ModuleType):
    with pytest.raises(T5MixError, match="trains no parameter"):
        engine_of(tiny, Nothing())


def test_a_pattern_that_matches_nothing_is_refused(tiny: ModuleType):
    with pytest.raises(T5MixError, match=r"pattern 'decodr/\.\*' matches no parameter\. The nearest are"):
        engine_of(tiny, RegexPolicy(train=(".*",), freeze=("decodr/.*",)))


@pytest.mark.parametrize("policy", [Adapter(dim=3), LoRA(rank=2), LoRA(rank=2, dora=True), IA3()])
def test_an_adapting_policy_starts_where_a_plain_model_ended(tiny: ModuleType, runs: Path, tmp_path: Path, policy: Any):
    checkpoint = runs / "one" / "checkpoints" / "8"
    plain, adapted = engine_of(tiny, Full()), engine_of(tiny, policy)
    base, state = plain.start(checkpoint), adapted.start(checkpoint)
    assert adapted.num_trained < adapted.num_parameters - 1000
    for path, leaf in base.params.items():
        np.testing.assert_array_equal(np.asarray(state.params[path]), np.asarray(leaf))
    tasks = [task_data(entry) for entry in tiny.make_manifest(tmp_path).tasks]
    shape = BatchShape(rows=8, inputs=tiny.INPUTS, targets=tiny.TARGETS)
    batch = next(training_batches(tasks, shape, seed=0, proportions=lambda step: np.asarray([0.5, 0.5]))).arrays
    expected, found = plain.sums(base.params, batch), adapted.sums(state.params, batch)
    np.testing.assert_allclose(np.asarray(found.cross_entropy), np.asarray(expected.cross_entropy), rtol=1e-6)
    frozen = {path: np.asarray(leaf) for path, leaf in state.frozen.items()}
    trained = {path: np.asarray(leaf) for path, leaf in state.trained.items()}
    for _ in range(3):
        state, _ = adapted.step(state, batch)
    assert all(np.array_equal(np.asarray(leaf), frozen[path]) for path, leaf in state.frozen.items())
    assert all(np.any(np.asarray(leaf) != trained[path]) for path, leaf in state.trained.items())


def test_seeds_give_other_parameters_and_one_seed_the_same(tiny: ModuleType):
    from t5mix.model.t5 import init_params

    first = tiny.make_engine(CONFIG).start(None).params
    expected = init_params(tiny.model_config(), jax.random.key(0))
    for path, leaf in first.items():
        np.testing.assert_allclose(np.asarray(leaf), np.asarray(expected[path]), rtol=1e-5, atol=1e-7)
    other = init_params(tiny.model_config(), jax.random.key(1))
    assert any(np.any(np.asarray(first[path]) != np.asarray(other[path])) for path in first)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, tiny: ModuleType) -> Path:
    """Runs on one device and on eight: each whole, and each continued by the other from step 4."""
    folder = tmp_path_factory.mktemp("devices")
    manifest = tiny.with_choices(tiny.make_manifest(folder), "choice_accuracy")
    manifest.save(folder / "manifest.json")
    engine = tiny.make_engine(CONFIG)
    train(tiny.make_job(folder / "one", manifest, CONFIG, engine=engine))
    _until_step_4(folder / "one", folder / "one_then_eight")

    jobs = [
        {
            "run_dir": str(folder / name),
            "manifest": str(folder / "manifest.json"),
            "training": dataclasses.asdict(CONFIG),
            "mesh": {"data": 4, "fsdp": 2},
        }
        for name in ("eight", "one_then_eight")
    ]
    (folder / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=8"
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, str(tiny.__file__), str(folder / "jobs.json")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["step"] for line in done.stdout.splitlines()] == [8, 8]

    _until_step_4(folder / "eight", folder / "eight_then_one")
    train(tiny.make_job(folder / "eight_then_one", manifest, CONFIG, engine=engine))
    return folder


def _until_step_4(source: Path, target: Path) -> None:
    """Copies a run as it stood when its checkpoint of step 4 was written."""
    shutil.copytree(source, target)
    for entry in (target / "checkpoints").iterdir():
        if entry.name != "4":
            shutil.rmtree(entry)


@pytest.mark.parametrize("name", ["eight", "one_then_eight", "eight_then_one"])
def test_the_number_of_devices_changes_no_loss(runs: Path, tiny: ModuleType, name: str):
    expected, found = tiny.logged(runs / "one"), tiny.logged(runs / name)
    assert [(line["kind"], line["step"]) for line in found] == [(line["kind"], line["step"]) for line in expected]
    for one, other in zip(expected, found, strict=True):
        if one["kind"] == "train":
            assert other["loss"] == pytest.approx(one["loss"], abs=1e-5)
        for task, values in one["tasks"].items():
            assert other["tasks"][task]["loss"] == pytest.approx(values["loss"], abs=2e-5)
            for key in ("examples", "loss_tokens", "tokens", "epochs", "choice_accuracy"):
                assert other["tasks"][task].get(key) == values.get(key)
    assert "choice_accuracy" in found[-1]["tasks"]["first"]


def test_the_number_of_devices_changes_no_parameter(runs: Path, tiny: ModuleType):
    engine = tiny.make_engine(CONFIG)
    expected = tiny.final_params(runs / "one", engine, 8)
    for name in ("eight", "one_then_eight", "eight_then_one"):
        for path, leaf in tiny.final_params(runs / name, engine, 8).items():
            np.testing.assert_allclose(leaf, expected[path], atol=1e-4, err_msg=f"{name} {path}")
