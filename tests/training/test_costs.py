"""What a policy is said to cost, against what can be counted by hand."""

import functools
from types import ModuleType
from typing import Any

import pytest

from t5mix.finetuning import Adapter, FeatureBased, Full, GradualUnfreezing, LayerNorms
from t5mix.training.config import TrainingConfig
from t5mix.training.costs import ModuleRow, abstract_batch, costs_of, modules
from t5mix.training.engine import Engine
from t5mix.training.optimizer import AdamW
from t5mix.training.schedule import Constant
from t5mix.training.sharding import MeshConfig

CONFIG = TrainingConfig(steps=100, batch_size=4)


@functools.cache
def engine_of(tiny: ModuleType, policy: Any, blocks: tuple[int, int] = (1, 2), **changes: Any) -> Engine:
    model = tiny.model_config(num_layers=blocks[0], num_decoder_layers=blocks[1], **changes)
    return Engine(model, policy.bind(("copy", "first")), AdamW(), Constant(), CONFIG, MeshConfig(), 0)


def test_parameters_gradients_and_moments_are_counted_exactly(tiny: ModuleType):
    engine = engine_of(tiny, LayerNorms())
    (phase,) = (costs := costs_of(engine, CONFIG.batch_shape(16, 8))).phases
    norms = 16 * (2 * 1 + 3 * 2 + 2)
    assert (phase.start, phase.trained, phase.gradient_bytes) == (0, norms, 4 * norms)
    counts = 2 * 4  # AdamW counts twice: for its moments and for its learning rate
    assert phase.optimizer_bytes == 2 * 4 * norms + counts
    assert costs.parameters == engine.num_parameters
    assert costs.parameter_bytes == 4 * engine.num_parameters
    assert phase.memory(costs.parameter_bytes) == costs.parameter_bytes + phase.optimizer_bytes + 4 * norms


def test_what_is_not_needed_is_not_computed(tiny: ModuleType):
    wide: Any = {"d_model": 64, "d_ff": 256}
    shape = CONFIG.batch_shape(64, 16)
    full, adapter, top = (
        costs_of(engine_of(tiny, policy, **wide), shape).phases[0].flops
        for policy in (Full(), Adapter(dim=2), FeatureBased())
    )
    assert adapter < 0.8 * full
    assert top < 0.5 * full


def test_each_phase_costs_more_than_the_one_before(tiny: ModuleType):
    tied: Any = {"tie_embeddings": True, "scale_logits": True}
    policy = GradualUnfreezing(embedding="output")
    phases = costs_of(engine_of(tiny, policy, (3, 1), **tied), CONFIG.batch_shape(16, 8)).phases
    assert [phase.start for phase in phases] == [0, 33, 66]
    for name in ("trained", "optimizer_bytes", "flops"):
        values = [getattr(phase, name) for phase in phases]
        assert values == sorted(set(values)), name
    (full,) = costs_of(engine_of(tiny, Full(), (3, 1), **tied), CONFIG.batch_shape(16, 8)).phases
    assert phases[-1].trained == full.trained


def test_compiling_tells_the_memory_of_activations(tiny: ModuleType):
    (phase,) = costs_of(engine_of(tiny, LayerNorms()), CONFIG.batch_shape(16, 8), compiled=True).phases
    assert phase.temporary_bytes is not None
    assert phase.memory(0) == phase.temporary_bytes + phase.optimizer_bytes > phase.gradient_bytes


def test_blocks_that_are_alike_are_one_row(tiny: ModuleType):
    engine = engine_of(tiny, FeatureBased(), (2, 4))
    rows = modules(engine)
    assert [row.name for row in rows] == [
        "token_embedding",
        "encoder/relative_bias",
        "encoder/blocks/0-1",
        "encoder/final_norm",
        "decoder/relative_bias",
        "decoder/blocks/0-2",
        "decoder/blocks/3",
        "decoder/final_norm",
        "output",
    ]
    by_name = {row.name: row for row in rows}
    assert by_name["decoder/blocks/0-2"].trained == (0,)
    assert by_name["decoder/blocks/3"].trained == (by_name["decoder/blocks/3"].parameters,)
    assert by_name["decoder/blocks/0-2"].parameters == 3 * by_name["decoder/blocks/3"].parameters
    assert by_name["token_embedding"] == ModuleRow("token_embedding", 64 * 16, (0,))
    assert sum(row.parameters for row in rows) == engine.num_parameters


def test_a_batch_has_the_shapes_that_training_gives_it(tiny: ModuleType, tmp_path: Any):
    import numpy as np

    from t5mix.data.pipeline import task_data, training_batches

    shape = CONFIG.batch_shape(tiny.INPUTS, tiny.TARGETS, prompt=3)
    tasks = [task_data(entry) for entry in tiny.make_manifest(tmp_path).tasks]
    batch = next(training_batches(tasks, shape, seed=0, proportions=lambda step: np.asarray([0.5, 0.5]))).arrays
    expected = {name: (array.shape, array.dtype) for name, array in batch.items()}
    assert {name: (leaf.shape, leaf.dtype) for name, leaf in abstract_batch(shape).items()} == expected


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
def test_frozen_matrices_count_as_they_are_kept(tiny: ModuleType, kind: Any):
    config = TrainingConfig(steps=100, batch_size=4, frozen_dtype=kind)
    engine = Engine(
        tiny.model_config(), LayerNorms().bind(("copy", "first")), AdamW(), Constant(), config, MeshConfig(), 0
    )
    matrices = sum(leaf.size for leaf in engine.params.values() if leaf.ndim > 1)
    saved = 2 * matrices if kind == "bfloat16" else 0
    assert costs_of(engine, config.batch_shape(16, 8)).parameter_bytes == 4 * engine.num_parameters - saved
