"""Prompt tuning: packed rows, decoding and the uncached model agree on where the prompt is."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from t5mix.data.pipeline import evaluation_batches
from t5mix.data.token_store import TokenStore
from t5mix.decoding import GenerationConfig, decode
from t5mix.finetuning import PromptTuning
from t5mix.finetuning.base import RunShape
from t5mix.finetuning.prompt import Prompt
from t5mix.model import abstract_model, init_params, merge_params
from t5mix.model.presets import PRESETS
from t5mix.training.config import TrainingConfig

LENGTH = 3
POLICY = PromptTuning(length=LENGTH)
PATH = "prompt/prompt_embedding"
Model = tuple[Any, dict[str, jax.Array]]


@pytest.fixture(scope="module")
def model(tiny) -> Model:
    config = tiny.model_config()
    params = init_params(config, jax.random.key(5), POLICY.adapt)
    # A weak embedding lets the blocks and the prompt decide, which do not repeat the input as an untrained model does.
    params["token_embedding/embedding"] *= 0.1
    return abstract_model(config, POLICY.adapt)[0], params


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, tiny) -> TokenStore:
    return tiny.make_store(tmp_path_factory.mktemp("prompt") / "store", tiny.make_examples("copy", 11, 0))


def padded(sequences: list[np.ndarray]) -> np.ndarray:
    out = np.zeros((len(sequences), max(map(len, sequences))), np.int32)
    for row, tokens in zip(out, sequences, strict=True):
        row[: len(tokens)] = tokens
    return out


def alone(model: Model, inputs: np.ndarray, decoder_inputs: np.ndarray) -> np.ndarray:
    """The logits of examples that have a row each, laid out by the model."""

    def logits(params):
        merged = merge_params(model[0], params)
        laid_out, segments = merged.with_prompt(jnp.asarray(inputs))
        batch = {
            "encoder_inputs": laid_out,
            "encoder_segment_ids": segments,
            "decoder_inputs": jnp.asarray(decoder_inputs),
            "decoder_segment_ids": jnp.ones_like(decoder_inputs),
        }
        return merged(batch)

    return np.asarray(jax.jit(logits)(model[1]))


@pytest.mark.parametrize("pack", [True, False])
def test_a_batch_gives_what_its_examples_give_alone(model: Model, store: TokenStore, pack: bool):
    shape = TrainingConfig(batch_size=4, pack=pack).batch_shape(30, 20, LENGTH)
    assert shape.inputs == 33
    graphdef, params = model
    forward = jax.jit(lambda params, batch: merge_params(graphdef, params)(batch))
    found, inputs, decoder_inputs = [], [], []
    for batch, _ in evaluation_batches({0: store}, shape):
        logits = np.asarray(forward(params, batch))
        for row in range(shape.rows):
            for segment in range(1, batch["encoder_segment_ids"][row].max() + 1):
                here = batch["encoder_segment_ids"][row] == segment
                targets = batch["decoder_segment_ids"][row] == segment
                inputs.append(batch["encoder_inputs"][row, here][LENGTH:])
                decoder_inputs.append(batch["decoder_inputs"][row, targets])
                found.append(logits[row, targets])
    assert sorted(map(tuple, inputs)) == sorted(tuple(store.example(i)[0]) for i in range(len(store)))
    for logits, expected in zip(found, alone(model, padded(inputs), padded(decoder_inputs)), strict=True):
        np.testing.assert_allclose(logits, expected[: len(logits)], atol=1e-5)


def test_the_prompt_changes_the_logits(model: Model, store: TokenStore):
    inputs, targets = (padded([store.example(i)[side] for i in range(4)]) for side in (0, 1))
    other = {**model[1], PATH: -model[1][PATH]}
    assert np.abs(alone(model, inputs, targets) - alone((model[0], other), inputs, targets)).max() > 1e-2


def test_greedy_decoding_agrees_with_teacher_forcing(model: Model, store: TokenStore):
    config, inputs = GenerationConfig(max_new_tokens=7), padded([store.example(i)[0] for i in range(6)])
    greedy = jax.jit(lambda params: decode(merge_params(model[0], params), jnp.asarray(inputs), config, eos_id=-1))
    decoded = greedy(model[1])
    tokens = np.asarray(decoded.tokens[:, 0])
    assert len(np.unique(tokens)) > 3, "the case is too simple to tell"
    log_probs = np.asarray(jax.nn.log_softmax(alone(model, inputs, np.pad(tokens[:, :-1], ((0, 0), (1, 0))))))
    np.testing.assert_array_equal(tokens, log_probs.argmax(-1))
    np.testing.assert_allclose(decoded.log_probs[:, 0], log_probs.max(-1), rtol=1e-4)


@pytest.fixture(scope="module")
def encoder_gradients(model: Model) -> Callable[..., dict[str, np.ndarray]]:
    """The gradients of a number made of what the encoder gives at a batch's content."""

    def loss(params, inputs, segments, positions):
        encoded = merge_params(model[0], params).encode(inputs, segments, positions)
        return jnp.sum(jnp.where(segments[..., None] > 0, jnp.sin(encoded), 0.0))

    gradients, names = jax.jit(jax.grad(loss)), ("inputs", "segment_ids", "positions")
    return lambda batch: jax.device_get(gradients(model[1], *(batch[f"encoder_{name}"] for name in names)))


@pytest.fixture
def batch(store: TokenStore) -> dict[str, np.ndarray]:
    ((batch, _),) = evaluation_batches({0: store}, TrainingConfig(batch_size=8).batch_shape(30, 20, LENGTH))
    return batch


def test_gradients_reach_each_row_of_the_prompt_and_no_embedding_behind_it(encoder_gradients, batch):
    gradients = encoder_gradients(batch)
    assert (np.abs(gradients[PATH]).max(axis=1) > 1e-3).all()
    assert np.abs(gradients["token_embedding/embedding"]).max() > 1e-3
    # Token 0 stands under the prompt and in the padding, and nowhere else.
    assert not gradients["token_embedding/embedding"][0].any()


def test_padding_gives_the_prompt_no_gradient(encoder_gradients, batch):
    # Padding is position 0 of no example: at a position past the prompt it would get no vector at all.
    elsewhere = np.where(batch["encoder_segment_ids"] > 0, batch["encoder_positions"], LENGTH)
    assert (elsewhere != batch["encoder_positions"]).any()
    found, expected = encoder_gradients(batch), encoder_gradients({**batch, "encoder_positions": elsewhere})
    np.testing.assert_allclose(found[PATH], expected[PATH], rtol=1e-5, atol=1e-6)
    assert not encoder_gradients({name: np.zeros_like(array) for name, array in batch.items()})[PATH].any()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_vectors_take_the_place_of_the_first_positions(dtype: str):
    prompt = Prompt(LENGTH, 8, rngs=nnx.Rngs(0))
    table = np.asarray(prompt.prompt_embedding[...])
    assert np.abs(table).max() <= 0.5
    assert np.abs(table).max() > 0.4
    positions = np.asarray([[0, 1, 2, 3, 0, 1, 2, 3, 4], [0, 1, 2, 3, 4, 5, 0, 0, 0]])
    embedded = jax.random.normal(jax.random.key(0), (2, 9, 8), dtype)
    expected = np.where((positions < LENGTH)[..., None], table[np.minimum(positions, LENGTH - 1)], embedded)
    found = prompt(embedded, jnp.asarray(positions), None)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, expected.astype(dtype))


def test_only_the_prompt_trains():
    base = dataclasses.replace(PRESETS["t5_base"], vocab_size=32_128)
    shapes = abstract_model(base, PromptTuning().adapt)[1]
    trained = [path for path in shapes if PromptTuning().unfreeze_step(path, RunShape(10, base)) == 0]
    assert trained == [PATH]
    assert shapes[PATH].shape == (100, 768)
    assert shapes[PATH].size == 76_800
    assert PromptTuning(length=20).prompt_length == 20


def test_a_prompt_without_vectors_is_refused():
    with pytest.raises(ValueError, match=r"finetuning\.length is 0"):
        PromptTuning(length=0)
