"""The whole model: packing, padding, causality, variants, precision, dropout, parameters by path."""

import dataclasses
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from t5mix.model import T5, T5Config, abstract_model, init_params, merge_params, split_params
from t5mix.model.blocks import BlockContext

CONFIG = T5Config(
    vocab_size=48,
    d_model=16,
    d_ff=24,
    d_kv=4,
    num_heads=2,
    num_layers=2,
    num_decoder_layers=2,
    relative_buckets=8,
    relative_max_distance=20,
    dropout_rate=0.2,
)
SOURCE, TARGET = 13, 10
Example = tuple[Sequence[int], Sequence[int]]  # inputs, targets
A: Example = ([5, 6, 7, 8, 1], [9, 10, 11, 1])
B: Example = ([20, 21, 22, 23, 24, 25, 1], [30, 31, 32, 33, 1])


def make_batch(*rows: Sequence[Example]) -> dict[str, jax.Array]:
    """Packs the examples of each row, with the decoder's inputs shifted right within each example."""
    batch = {}
    for side, length in (("encoder", SOURCE), ("decoder", TARGET)):
        arrays = {k: np.zeros((len(rows), length), np.int32) for k in ("inputs", "segment_ids", "positions")}
        for r, row in enumerate(rows):
            at = 0
            for segment, (inputs, targets) in enumerate(row, start=1):
                tokens = inputs if side == "encoder" else [0, *targets[:-1]]
                here = slice(at, at + len(tokens))
                arrays["inputs"][r, here] = tokens
                arrays["segment_ids"][r, here] = segment
                arrays["positions"][r, here] = range(len(tokens))
                at += len(tokens)
        batch.update({f"{side}_{k}": jnp.asarray(v) for k, v in arrays.items()})
    return batch


def forward_of(config: T5Config) -> Callable[..., jax.Array]:
    graphdef, _ = abstract_model(config)
    return jax.jit(lambda params, batch, key=None: merge_params(graphdef, params)(batch, key=key))


@pytest.fixture(scope="module")
def params() -> dict[str, jax.Array]:
    return init_params(CONFIG, jax.random.key(0))


@pytest.fixture(scope="module")
def forward() -> Callable[..., jax.Array]:
    return forward_of(CONFIG)


def test_a_packed_row_gives_what_its_examples_give_alone(params, forward) -> None:
    packed = forward(params, make_batch([A, B], []))
    alone = forward(params, make_batch([A], [B]))
    np.testing.assert_allclose(packed[0, :4], alone[0, :4], atol=1e-5)
    np.testing.assert_allclose(packed[0, 4:9], alone[1, :5], atol=1e-5)
    assert np.isfinite(packed).all(), "the padding gave NaN"


def test_what_stands_in_the_padding_does_not_matter(params, forward) -> None:
    batch = make_batch([A], [B])
    noisy = dict(batch)
    for side in ("encoder", "decoder"):
        noisy[f"{side}_inputs"] = jnp.where(batch[f"{side}_segment_ids"] > 0, batch[f"{side}_inputs"], 7)
    shown = np.asarray(batch["decoder_segment_ids"]) > 0
    np.testing.assert_array_equal(np.asarray(forward(params, batch))[shown], np.asarray(forward(params, noisy))[shown])


def test_no_logit_depends_on_a_later_target(params, forward) -> None:
    batch = make_batch([A], [B])
    before = np.asarray(forward(params, batch))
    batch["decoder_inputs"] = batch["decoder_inputs"].at[1, 3].set(40)
    after = np.asarray(forward(params, batch))
    np.testing.assert_array_equal(after[1, :3], before[1, :3])
    assert np.abs(after[1, 3] - before[1, 3]).max() > 1e-3
    np.testing.assert_array_equal(after[0], before[0])


def test_dropout_needs_a_key_and_follows_it(params, forward) -> None:
    batch = make_batch([A], [B])
    once, again = (forward(params, batch, jax.random.key(1)) for _ in range(2))
    other = forward(params, batch, jax.random.key(2))
    plain = forward(params, batch)
    np.testing.assert_array_equal(once, again)
    assert np.abs(np.asarray(once - other)).max() > 1e-2
    assert np.abs(np.asarray(once - plain)).max() > 1e-2


def test_rematerialising_changes_no_loss_and_no_gradient() -> None:
    batch = make_batch([A, B], [])
    shallow = dataclasses.replace(CONFIG, num_layers=1, num_decoder_layers=1)
    params = init_params(shallow, jax.random.key(0))

    def loss_and_gradients(config: T5Config):
        graphdef, _ = abstract_model(config)

        def loss(params, batch, key):
            logits = merge_params(graphdef, params)(batch, key=key)
            return jnp.sum(jax.nn.logsumexp(logits, -1))

        return jax.jit(jax.value_and_grad(loss))(params, batch, jax.random.key(1))

    loss, gradients = loss_and_gradients(shallow)
    remat_loss, remat_gradients = loss_and_gradients(dataclasses.replace(shallow, remat=True))
    np.testing.assert_allclose(loss, remat_loss, rtol=1e-6)
    assert set(gradients) == set(params)
    for path, gradient in gradients.items():
        assert np.isfinite(gradient).all(), path
        assert np.abs(gradient).max() > 0, f"{path} gets no gradient"
        np.testing.assert_allclose(gradient, remat_gradients[path], rtol=1e-4, atol=1e-5, err_msg=path)


def test_bfloat16_computes_near_float32_and_leaves_parameters_and_logits_in_float32(params, forward) -> None:
    config = dataclasses.replace(CONFIG, dtype="bfloat16")
    _, shapes = abstract_model(config)
    assert {shape.dtype for shape in shapes.values()} == {jnp.dtype("float32")}
    batch = make_batch([A, B], [A])
    low, full = forward_of(config)(params, batch), forward(params, batch)
    assert low.dtype == full.dtype == jnp.float32
    shown = np.asarray(batch["decoder_segment_ids"]) > 0
    error = np.abs(np.asarray(low - full))[shown]
    # bfloat16 rounds at 2^-9; a dozen roundings of values around 1 stay well inside this.
    assert 0 < error.mean() < 0.02
    assert error.max() < 0.15


def test_tying_and_scaling_do_to_the_logits_what_they_say() -> None:
    hidden = jax.random.normal(jax.random.key(3), (2, 3, 16))

    def model_and_logits(**changes: bool) -> tuple[dict, np.ndarray]:
        model = T5(dataclasses.replace(CONFIG, **changes), rngs=nnx.Rngs(0))
        return split_params(model)[1], np.asarray(model.logits(hidden))

    tied, logits = model_and_logits(tie_embeddings=True)
    assert "output/kernel" not in tied
    np.testing.assert_allclose(logits, hidden @ tied["token_embedding/embedding"].T, atol=1e-5)
    _, scaled = model_and_logits(tie_embeddings=True, scale_logits=True)
    np.testing.assert_allclose(scaled, logits / 4, rtol=1e-4, atol=1e-5)
    untied, logits = model_and_logits()
    np.testing.assert_allclose(logits, hidden @ untied["output/kernel"], atol=1e-5)


def test_splitting_and_merging_round_trip_under_the_documented_paths(params) -> None:
    graphdef, shapes = abstract_model(CONFIG)
    again, same = split_params(merge_params(graphdef, params))
    assert again == graphdef
    assert hash(again) == hash(graphdef), "jit could not take it as a static argument"
    assert list(same) == list(params) == list(shapes)
    assert all(same[path] is params[path] and same[path].shape == shapes[path].shape for path in same)
    assert {
        "token_embedding/embedding",
        "encoder/relative_bias/embedding",
        "encoder/blocks/0/attention_norm/scale",
        "encoder/blocks/0/attention/query/kernel",
        "encoder/final_norm/scale",
        "decoder/blocks/1/self_attention/value/kernel",
        "decoder/blocks/1/cross_attention/output/kernel",
        "decoder/blocks/1/feed_forward/wi_0/kernel",
        "decoder/blocks/1/feed_forward/wo/kernel",
        "output/kernel",
    } <= set(params)


class Shift(nnx.Module):
    """An adapter by task: adds one trained number for each of two tasks to the residual stream."""

    def __init__(self) -> None:
        self.shift = nnx.Param(jnp.zeros((2,)))

    def __call__(self, hidden: jax.Array, update: jax.Array, context: BlockContext) -> jax.Array:
        assert context.task_ids is not None
        return hidden + update + self.shift[...][context.task_ids][..., None]


@pytest.mark.parametrize("seeded", [int, jax.random.key])
def test_parameters_are_drawn_with_the_keys_of_flax(seeded) -> None:
    key = seeded(3)
    config = T5Config(vocab_size=8, d_model=4, d_ff=8, d_kv=2, num_heads=2, num_layers=1, num_decoder_layers=1)
    drawn = []

    def adapt(model: T5, rngs: nnx.Rngs) -> T5:
        drawn.extend([rngs.params(), rngs(), rngs.noise()])  # one stream, whatever it is called by
        return model

    found, rngs = init_params(config, key, adapt), nnx.Rngs(key)
    expected = split_params(T5(config, rngs=rngs))[1]
    assert found.keys() == expected.keys()
    for path, leaf in expected.items():
        np.testing.assert_array_equal(np.asarray(found[path]), np.asarray(leaf), err_msg=path)
    assert drawn == [rngs(), rngs(), rngs()]


def test_a_policy_can_fill_a_slot_and_see_the_task_of_each_position(params, forward) -> None:
    def adapt(model: T5, rngs: nnx.Rngs) -> T5:
        model.encoder.blocks[1].feed_forward_adapter = Shift()
        return model

    path = "encoder/blocks/1/feed_forward_adapter/shift"
    graphdef, shapes = abstract_model(CONFIG, adapt)
    assert set(shapes) - set(params) == {path}
    batch = make_batch([A, B], [])
    batch["encoder_task_ids"] = jnp.where(batch["encoder_segment_ids"] == 2, 1, 0)
    adapted = jax.jit(lambda params: merge_params(graphdef, params)(batch))
    plain = forward(params, batch)
    np.testing.assert_array_equal(adapted({**params, path: jnp.zeros((2,))}), plain)
    moved = np.abs(np.asarray(adapted({**params, path: jnp.array([0.0, 5.0])}) - plain))
    assert moved[0, :4].max() == 0.0
    assert moved[0, 4:9].min(-1).max() > 1e-4
