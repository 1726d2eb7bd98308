"""Whole runs under policies with phases, banks and prompts: interrupted or not, the same losses and parameters."""

import dataclasses
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import numpy as np
import pytest

from t5mix.config.reading import policy_to_dict
from t5mix.data.manifest import DataManifest
from t5mix.finetuning import Adapter, GradualUnfreezing, LoRA, PerTask, PromptTuning
from t5mix.training.config import TrainingConfig
from t5mix.training.engine import Engine
from t5mix.training.optimizer import AdamW
from t5mix.training.schedule import Linear
from t5mix.training.sharding import MeshConfig
from t5mix.training.trainer import train

STEPS = 12
CONFIG = TrainingConfig(
    steps=STEPS, batch_size=8, log_every=1, checkpoint_every=3, evaluate_every=5, max_checkpoints_to_keep=9
)
TASKS = ("copy", "first")
POLICIES = {
    "gradual_unfreezing": GradualUnfreezing(),  # three blocks: phases from 0, 4 and 8 on
    "per_task": PerTask(policy=LoRA(rank=2), shared=True, tasks=TASKS),
    "prompts": PerTask(policy=PromptTuning(length=3), tasks=TASKS),
}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory, tiny: ModuleType) -> DataManifest:
    return tiny.make_manifest(tmp_path_factory.mktemp("data"))


def engine_of(tiny: ModuleType, policy: Any, **changes: Any) -> Engine:
    blocks = 3 if isinstance(policy, GradualUnfreezing) else 1  # each takes time to compile
    model = tiny.model_config(num_layers=blocks, num_decoder_layers=1)
    config = dataclasses.replace(CONFIG, **changes)
    return tiny.built_once(model, policy.bind(TASKS), AdamW(), Linear(learning_rate=0.01), config, MeshConfig(), 0)


def job(tiny: ModuleType, manifest: DataManifest, run_dir: Path, engine: Any, policy: Any) -> Any:
    checkpoint_metadata = {"model": {}, "finetuning": policy_to_dict(policy), "vocabulary": {}}
    return tiny.make_job(
        run_dir,
        manifest,
        CONFIG,
        engine=engine,
        checkpoint_metadata=checkpoint_metadata,
    )


@pytest.mark.parametrize("kind", [pytest.param("gradual_unfreezing", marks=pytest.mark.slow), "per_task", "prompts"])
def test_an_interrupted_run_continues_to_the_same_bits(
    tiny: ModuleType, manifest: DataManifest, tmp_path: Path, kind: str
):
    whole, broken, policy = tmp_path / "whole", tmp_path / "broken", POLICIES[kind]
    engine = engine_of(tiny, policy)
    train(job(tiny, manifest, whole, engine, policy))
    for steps in (4, 2, 4):  # from steps 0, 3 and 3 on: just before a phase begins, just after, and across it
        with pytest.raises(tiny.InterruptedRunError):
            train(job(tiny, manifest, broken, tiny.Watched(engine, tiny.raise_after(steps)), policy))
    train(job(tiny, manifest, broken, engine, policy))
    assert tiny.logged(broken) == tiny.logged(whole)
    expected, found = (tiny.final_params(folder, engine, STEPS) for folder in (whole, broken))
    for path, leaf in expected.items():
        np.testing.assert_array_equal(found[path], leaf, err_msg=path)


def test_what_begins_to_train_has_an_optimizer_as_young_as_itself(
    tiny: ModuleType, manifest: DataManifest, tmp_path: Path
):
    engine = engine_of(tiny, GradualUnfreezing())
    assert engine.phases.starts == (0, 4, 8)
    train(job(tiny, manifest, tmp_path / "run", engine, GradualUnfreezing()))
    from t5mix.checkpoint.writer import Checkpoints

    checkpoints = Checkpoints(tmp_path / "run" / "checkpoints")
    for step, counts in {3: [3], 6: [6, 2], 9: [9, 5, 1], 12: [12, 8, 4]}.items():
        state, _ = checkpoints.restore(step, engine.like(step))
        ages = [{int(leaf) for leaf in jax.tree.leaves(group) if leaf.ndim == 0} for group in state.optimizer]
        assert ages == [{count} for count in counts]
        assert state.trained.keys() == set(engine.phases.trained(engine.phases.at(step)))
    checkpoints.close()


def test_the_first_update_of_what_begins_later_is_as_large_as_its_learning_rate(tiny: ModuleType, tmp_path: Path):
    """Adam's first update is the learning rate in every element, if and only if its moments and its count are fresh."""
    from t5mix.data.pipeline import task_data, training_batches

    engine = Engine(
        tiny.model_config(num_layers=2, num_decoder_layers=1),
        GradualUnfreezing().bind(TASKS),
        AdamW(weight_decay=0.0, epsilon=1e-30),
        Linear(learning_rate=0.01),
        CONFIG,
        MeshConfig(),
        0,
    )
    tasks = [task_data(entry) for entry in tiny.make_manifest(tmp_path).tasks]
    shape = CONFIG.batch_shape(tiny.INPUTS, tiny.TARGETS)
    batches = training_batches(tasks, shape, seed=0, proportions=lambda step: np.asarray([0.5, 0.5]))
    state = engine.start(None)
    path = "encoder/blocks/0/feed_forward/wo/kernel"
    for step in range(7):
        assert (path in state.trained) == (step >= 6)
        before = np.asarray(state.params[path])
        state, metrics = engine.step(state, next(batches).arrays)
        state = engine.advance(state, step + 1)
        moved = np.abs(np.asarray(state.params[path]) - before)
        if step < 6:
            assert not moved.any()
    assert float(metrics.learning_rate) == pytest.approx(0.01 * 6 / 12)
    np.testing.assert_allclose(np.median(moved), 0.01 * 6 / 12, rtol=1e-3)
    engine.close()


def test_frozen_matrices_may_be_kept_in_half_the_memory(tiny: ModuleType, manifest: DataManifest, tmp_path: Path):
    engine = engine_of(tiny, Adapter(dim=2), frozen_dtype="bfloat16")
    state = engine.start(None)
    for path, leaf in state.params.items():
        half = path in engine.phases.frozen and leaf.ndim > 1
        assert leaf.dtype == ("bfloat16" if half else "float32"), path
    train(job(tiny, manifest, tmp_path / "run", engine, Adapter(dim=2)))
    restored = tiny.final_params(tmp_path / "run", engine, STEPS)
    for path in engine.phases.frozen:
        assert np.array_equal(restored[path], np.asarray(state.params[path])), path
