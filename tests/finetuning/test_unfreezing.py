"""Gradual unfreezing: which blocks train in which episode, and how far down gradients are taken."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t5mix.finetuning import GradualUnfreezing
from t5mix.finetuning.base import RunShape
from t5mix.model import PRESETS, T5Config, abstract_model, merge_params
from t5mix.training.losses import token_losses
from t5mix.training.phases import TrainingPhases, divide_into_phases

TABLE = "token_embedding/embedding"
BASE = dataclasses.replace(PRESETS["t5_base"], vocab_size=32_128)


@functools.cache
def shapes_of(config: T5Config) -> dict[str, jax.ShapeDtypeStruct]:
    """The parameters, of which the policy adds none."""
    return abstract_model(config)[1]


def phases_of(config: T5Config, policy: GradualUnfreezing, steps: int) -> TrainingPhases:
    return divide_into_phases(shapes_of(config), policy.bind_for_shapes(), RunShape(steps, config))


def model_of(encoder: int, decoder: int, **changes: Any) -> T5Config:
    sizes = {"vocab_size": 64, "d_model": 16, "d_ff": 32, "d_kv": 8, "num_heads": 2}
    return T5Config(**sizes, num_layers=encoder, num_decoder_layers=decoder, **changes)


def opened(config: T5Config, policy: GradualUnfreezing, steps: int) -> dict[str, list[int]]:
    """The step from which each block trains, from the top of its stack down; checks that a block is of one piece."""
    run, found = RunShape(steps, config), {}
    for stack, depth in (("encoder", config.num_layers), ("decoder", config.num_decoder_layers)):
        blocks: list[set[int | None]] = [set() for _ in range(depth)]
        for path in shapes_of(config):
            if path.startswith(f"{stack}/blocks/"):
                blocks[int(path.split("/")[2])].add(policy.unfreeze_step(path, run))
        bias = policy.unfreeze_step(f"{stack}/relative_bias/embedding", run)
        assert blocks[0] == {bias}, "the relative bias trains with the bottom block"
        assert policy.unfreeze_step(f"{stack}/final_norm/scale", run) == 0
        assert all(len(block) == 1 for block in blocks)
        found[stack] = [block.pop() for block in reversed(blocks)]
    return found


def test_the_twelve_episodes_of_t5_base():
    shapes, phases = shapes_of(BASE), phases_of(BASE, GradualUnfreezing(), 1200)
    assert phases.starts == tuple(range(0, 1200, 100))
    assert phases.frozen == ()
    for episode in range(1, 13):
        expected = {TABLE, "encoder/final_norm/scale", "decoder/final_norm/scale"}
        for block in range(12 - episode, 12):
            tops = (f"encoder/blocks/{block}/", f"decoder/blocks/{block}/")
            expected |= {path for path in shapes if path.startswith(tops)}
        if episode == 12:
            expected |= {"encoder/relative_bias/embedding", "decoder/relative_bias/embedding"}
        for step in (100 * episode - 100, 100 * episode - 1):
            assert set(phases.trained(phases.at(step))) == expected, (episode, step)


def test_the_numbers_of_parameters_that_train():
    shapes, phases = shapes_of(BASE), phases_of(BASE, GradualUnfreezing(), 1200)
    counts = [sum(shapes[path].size for path in phases.trained(episode)) for episode in range(12)]
    attention, feed_forward = 4 * 768 * 768, 2 * 768 * 3072
    blocks = attention + feed_forward + 2 * 768, 2 * attention + feed_forward + 3 * 768
    always = 32_128 * 768 + 2 * 768
    assert counts == [always + n * sum(blocks) + (2 * 32 * 12 if n == 12 else 0) for n in range(1, 13)]
    assert counts[-1] == 222_903_552


def test_steps_that_episodes_do_not_divide():
    starts = phases_of(BASE, GradualUnfreezing(), 1000).starts
    assert starts == (0, 83, 166, 250, 333, 416, 500, 583, 666, 750, 833, 916)


def test_an_output_matrix_of_its_own_trains_throughout():
    config, run = PRESETS["t5_1_1_base"], RunShape(1200, PRESETS["t5_1_1_base"])
    assert "output/kernel" in shapes_of(config)
    assert [GradualUnfreezing().unfreeze_step(path, run) for path in (TABLE, "output/kernel")] == [0, 0]


# In episode n the top ceil(n * depth / episodes) blocks train: from the top down, the episode of each block.
DEPTHS = [
    (2, 6, [1, 4], [1, 2, 3, 4, 5, 6]),
    (12, 4, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [1, 4, 7, 10]),
    (1, 3, [1], [1, 2, 3]),
    (5, 3, [1, 2, 3, 4, 5], [1, 2, 4]),
    (3, 2, [1, 2, 3], [1, 2]),
    (7, 6, [1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 6]),
    (1, 1, [1], [1]),
]


@pytest.mark.parametrize(("encoder", "decoder", "of_encoder", "of_decoder"), DEPTHS)
def test_stacks_of_unequal_depth(encoder: int, decoder: int, of_encoder: list[int], of_decoder: list[int]):
    config = model_of(encoder, decoder)
    episodes = max(encoder, decoder)
    steps = 10 * episodes
    found = opened(config, GradualUnfreezing(), steps)
    assert found["encoder"] == [10 * (episode - 1) for episode in of_encoder]
    assert found["decoder"] == [10 * (episode - 1) for episode in of_decoder]
    phases = phases_of(config, GradualUnfreezing(), steps)
    assert phases.starts == tuple(range(0, steps, 10))
    assert set(phases.trained(episodes - 1)) == shapes_of(config).keys()


@pytest.mark.parametrize(
    ("starts", "encoder", "decoder", "of_encoder", "of_decoder"),
    [
        # as many as there are blocks
        ((0, 0.2, 0.7), 3, 3, [0, 20, 70], [0, 20, 70]),
        # fewer: each opens an equal part
        ((0, 0.1, 0.5), 6, 12, [0, 0, 10, 10, 50, 50], [0] * 4 + [10] * 4 + [50] * 4),
        ((0, 0.5), 3, 1, [0, 0, 50], [0]),
        ((0, 0.3, 0.6), 5, 4, [0, 0, 30, 30, 60], [0, 0, 30, 60]),
        # one: nothing is ever frozen
        ((0,), 3, 2, [0, 0, 0], [0, 0]),
        # more: some open nothing
        ((0, 0.1, 0.2, 0.3), 2, 1, [0, 20], [0]),
    ],
)
def test_starts_of_ones_own(starts: Any, encoder: int, decoder: int, of_encoder: list[int], of_decoder: list[int]):
    policy = GradualUnfreezing(starts=starts)
    found = opened(model_of(encoder, decoder), policy, 100)
    assert found == {"encoder": of_encoder, "decoder": of_decoder}


def test_the_papers_starts_given_by_hand_are_its_own():
    policy = GradualUnfreezing(starts=tuple(n / 12 for n in range(12)))
    assert phases_of(BASE, policy, 1200) == phases_of(BASE, GradualUnfreezing(), 1200)


@pytest.mark.parametrize(
    "starts", [(0.1, 0.5), (0, 0.5, 0.5), (0, 0.6, 0.4), (0, 1.0), (0, 0.5, 1.5), (), (0, float("nan"))]
)
def test_bad_starts_are_refused(starts: tuple[float, ...]):
    with pytest.raises(ValueError, match=r"finetuning\.starts is \[.*begin with 0, rise, and stay below 1"):
        GradualUnfreezing(starts=starts)


def test_an_unknown_embedding_is_refused():
    with pytest.raises(ValueError, match=r"finetuning\.embedding is 'input': it must be 'both' or 'output'"):
        GradualUnfreezing(embedding="input")


def loss_of(graphdef: Any, params: Any, batch: Any) -> jax.Array:
    logits = merge_params(graphdef, params)(batch)
    mask = batch["decoder_segment_ids"] > 0
    return (token_losses(logits, batch["decoder_targets"]).cross_entropy * mask).sum()


def batch_of(rows: int = 2, inputs: int = 10, targets: int = 6) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    tokens = {
        "encoder_inputs": draw.integers(2, 40, (rows, inputs), dtype=np.int32),
        "decoder_inputs": draw.integers(20, 60, (rows, targets), dtype=np.int32),
        "decoder_targets": draw.integers(2, 60, (rows, targets), dtype=np.int32),
    }
    segments = {"encoder_segment_ids": np.ones_like(tokens["encoder_inputs"])}
    return tokens | segments | {"decoder_segment_ids": np.ones_like(tokens["decoder_inputs"])}


def test_the_output_end_alone_gives_its_own_part_of_the_embeddings_gradient():
    tied, batch = model_of(1, 1, activation="relu", tie_embeddings=True, scale_logits=True), batch_of()
    untied = dataclasses.replace(tied, tie_embeddings=False)
    draw = np.random.default_rng(1)
    params = {
        path: (0.25 * draw.standard_normal(leaf.shape) + path.endswith("/scale")).astype(np.float32)
        for path, leaf in shapes_of(tied).items()
    }
    params = jax.device_put(params)

    def gradients(config: T5Config, adapt: Any, *paths: str) -> list[np.ndarray]:
        graphdef = abstract_model(config, adapt)[0]
        given = params | {"output/kernel": params[TABLE].T} if "output/kernel" in paths else params

        def loss(trained):
            return loss_of(graphdef, {**given, **trained}, batch)

        found = jax.jit(jax.grad(loss))({path: given[path] for path in paths})
        return [np.asarray(found[path]) for path in paths]

    (both,) = gradients(tied, GradualUnfreezing().adapt, TABLE)
    (output,) = gradients(tied, GradualUnfreezing(embedding="output").adapt, TABLE)
    # The two ends apart: the same model with a table for each.
    input_part, output_part = gradients(untied, None, TABLE, "output/kernel")
    assert min(np.abs(input_part).max(), np.abs(output_part).max()) > 0.05, "the case is too simple to tell"
    np.testing.assert_allclose(output, output_part.T, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(both, input_part + output_part.T, rtol=1e-5, atol=1e-5)


def test_the_output_end_alone_leaves_an_unshared_embedding_frozen():
    config, policy = model_of(1, 1), GradualUnfreezing(embedding="output")
    graphdef, shapes = abstract_model(config, policy.adapt)
    assert policy.unfreeze_step(TABLE, RunShape(10, config)) is None
    draw = np.random.default_rng(1)
    params = {path: draw.standard_normal(leaf.shape).astype(np.float32) for path, leaf in shapes.items()}

    def loss(table):
        return merge_params(graphdef, {**params, TABLE: table}).token_embedding(jnp.arange(4)).sum()

    assert not np.asarray(jax.grad(loss)(params[TABLE])).any()


@functools.cache
def work(config: T5Config, policy: GradualUnfreezing | None, step: int = 0) -> float:
    """The operations of one gradient of what trains at a step, or, without a policy, of the forward pass."""
    graphdef, shapes = abstract_model(config, policy and policy.adapt)
    batch = {name: jax.ShapeDtypeStruct(array.shape, array.dtype) for name, array in batch_of().items()}
    trained, frozen = {}, shapes
    if policy is not None:
        phases = divide_into_phases(shapes, policy.bind_for_shapes(), RunShape(100, config))
        trained, frozen = phases.split(shapes, phases.at(step))

    def loss(trained, frozen, batch):
        return loss_of(graphdef, {**trained, **frozen}, batch)

    run = jax.grad(loss) if policy else loss
    analysis: Any = jax.jit(run).lower(trained, frozen, batch).cost_analysis()
    return float((analysis[0] if isinstance(analysis, list) else analysis)["flops"])


def test_below_the_open_blocks_activations_are_not_differentiated():
    tied: Any = {"activation": "relu", "tie_embeddings": True, "scale_logits": True}
    sizes = ((2, 2), (3, 2), (2, 3))
    smaller, encoder, decoder = (model_of(*size, **tied) for size in sizes)
    forward = work(smaller, None)
    output, both = GradualUnfreezing(embedding="output"), GradualUnfreezing()
    # One more frozen block at the bottom of the encoder costs its forward pass and nothing more ...
    assert work(encoder, output) - work(smaller, output) == work(encoder, None) - forward
    # ... while with the embedding's input end it is passed backwards too, which takes as much again.
    assert work(encoder, both) - work(smaller, both) > 2 * (work(encoder, None) - forward)
    # The encoder's open block reaches the loss through every cross-attention, so that frozen decoder blocks are passed
    # backwards, from their cross-attention up; their own weights are not differentiated.
    extra = (work(decoder, output) - work(smaller, output)) / (work(decoder, None) - forward)
    assert 2 < extra < 2.5
    assert work(smaller, output) < work(smaller, both)
    # In the last episode everything trains, and only the way into the table is saved.
    assert work(smaller, output, 99) == pytest.approx(work(smaller, both, 99), rel=0.03)
