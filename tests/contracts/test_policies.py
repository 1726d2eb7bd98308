"""What every fine-tuning policy promises. Registering one adds its row here."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest

from t5mix.config.reading import policy_from_dict, policy_to_dict
from t5mix.data.pipeline import task_data, training_batches
from t5mix.errors import T5MixError
from t5mix.finetuning import POLICIES, FineTuningPolicy
from t5mix.finetuning.base import RunShape
from t5mix.model.t5 import abstract_model, init_params, merge_params
from t5mix.training.config import TrainingConfig
from t5mix.training.optimizer import AdamW
from t5mix.training.schedule import Constant
from t5mix.training.sharding import MeshConfig


@pytest.fixture(scope="module")
def run(tiny) -> RunShape:
    return RunShape(steps=100, model=tiny.model_config(num_layers=2, num_decoder_layers=3))


def test_it_is_a_frozen_dataclass(policy: Any):
    assert isinstance(policy, FineTuningPolicy)
    assert dataclasses.is_dataclass(policy)
    twin = dataclasses.replace(policy)
    assert policy == twin
    assert hash(policy) == hash(twin)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(policy, "anything", 1)  # noqa: B010


def test_it_survives_configuration(policy: Any):
    kind = POLICIES.kind_of(policy)
    raw = json.loads(json.dumps(policy_to_dict(policy)))
    assert raw["kind"] == kind
    assert policy_from_dict(raw) == policy
    assert policy_from_dict(kind) == type(policy)()
    with pytest.raises(T5MixError, match=r"Unknown configuration key 'finetuning\.no_such_setting'"):
        policy_from_dict({**raw, "no_such_setting": 1})


def test_every_parameter_has_an_answer(policy: Any, run: RunShape):
    paths = abstract_model(run.model, policy.adapt)[1]
    steps = {path: policy.unfreeze_step(path, run) for path in paths}
    for path, step in steps.items():
        assert step is None or (isinstance(step, int) and step >= 0), path
        scale = policy.learning_rate_scale(path, run)
        assert math.isfinite(scale), path
        assert scale > 0, path
        assert (policy.unfreeze_step(path, run), policy.learning_rate_scale(path, run)) == (step, scale)
    assert any(step == 0 for step in steps.values()), "nothing trains at the first step"
    assert all(step is None or step < run.steps for step in steps.values()), "something never gets its turn"


def test_the_models_own_parameters_keep_their_names_and_shapes(policy: Any, run: RunShape):
    plain, adapted = abstract_model(run.model)[1], abstract_model(run.model, policy.adapt)[1]
    assert plain.keys() <= adapted.keys()
    assert all(adapted[path].shape == leaf.shape for path, leaf in plain.items())


class Plain(NamedTuple):
    """What the plain model is, and what it computes."""

    params: dict[str, jax.Array]
    batch: dict[str, np.ndarray]
    logits: np.ndarray


@pytest.fixture(scope="module")
def plain(run: RunShape) -> Plain:
    draw = np.random.default_rng(0)
    segments = np.asarray([[1] * 5 + [2] * 3, [1] * 6 + [0] * 2], np.int32)
    tokens = draw.integers(2, 60, (3, 2, 8), dtype=np.int32)
    batch = {
        "encoder_inputs": tokens[0],
        "encoder_segment_ids": segments,
        "encoder_task_ids": (segments == 2).astype(np.int32),
        "decoder_inputs": tokens[1],
        "decoder_segment_ids": segments,
        "decoder_task_ids": (segments == 2).astype(np.int32),
    }
    params = init_params(run.model, jax.random.key(3))
    return Plain(params, batch, np.asarray(merge_params(abstract_model(run.model)[0], params)(batch)))


def test_at_step_0_the_model_computes_what_it_did(policy: Any, run: RunShape, plain: Plain):
    if policy.prompt_length:
        return  # a prompt is something new in the input; there is no start at which it is not seen
    adapted = {**init_params(run.model, jax.random.key(3), policy.adapt), **plain.params}
    found = np.asarray(merge_params(abstract_model(run.model, policy.adapt)[0], adapted)(plain.batch))
    content = plain.batch["decoder_segment_ids"] > 0
    np.testing.assert_array_equal(found[content], plain.logits[content])


def test_after_50_steps_what_is_frozen_is_as_it_was_and_all_else_moved(policy: Any, tiny: Any, tmp_path: Path):
    # Decay, clipping and dropout are on: none of them may reach a frozen leaf.
    training = TrainingConfig(steps=50, batch_size=4, max_grad_norm=1.0)
    model = tiny.model_config(num_decoder_layers=2, dropout_rate=0.1)
    bound = policy.bind(("first", "second"))
    engine = tiny.built_once(model, bound, AdamW(weight_decay=0.1), Constant(), training, MeshConfig(), 0)
    shape = training.batch_shape(tiny.INPUTS, tiny.TARGETS, policy.prompt_length)
    tasks = [task_data(entry) for entry in tiny.make_manifest(tmp_path).tasks]
    batches = training_batches(tasks, shape, seed=0, proportions=lambda step: np.asarray([0.5, 0.5]))
    state = engine.start(None)
    before = {path: np.asarray(leaf) for path, leaf in state.params.items()}
    for step in range(50):
        trained = sum(leaf.nbytes for leaf in state.trained.values())
        moments = sum(leaf.nbytes for leaf in jax.tree.leaves(state.optimizer) if leaf.ndim)
        assert moments == 2 * trained, "Adam keeps two moments of what trains, and nothing of what does not"
        state, _ = engine.step(state, next(batches).arrays)
        state = engine.advance(state, step + 1)
    assert state.trained.keys() | set(engine.phases.frozen) == before.keys()
    for path, leaf in state.params.items():
        same = np.array_equal(np.asarray(leaf).view(np.int32), before[path].view(np.int32))
        assert same == (path in engine.phases.frozen), path
