"""Decoding and scoring of whole stores, against one example at a time."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t5mix.data.ragged import token_batch
from t5mix.data.token_store import write_store
from t5mix.decoding import GenerationConfig
from t5mix.decoding import decode as decode_batch
from t5mix.evaluation.generate import generate, generate_scored, score_targets
from t5mix.model.config import T5Config
from t5mix.model.t5 import abstract_model, init_params, merge_params

CONFIG = T5Config(vocab_size=40, d_model=16, d_ff=32, d_kv=8, num_heads=2, num_layers=1, num_decoder_layers=1)
MAX_LENGTH = 7


@pytest.fixture(scope="module")
def model():
    graphdef, _ = abstract_model(CONFIG)
    params = init_params(CONFIG, jax.random.key(0))
    # A stronger cross-attention makes answers differ between examples; some of them end early.
    return graphdef, {path: leaf * (3.0 if "cross_attention/" in path else 1.0) for path, leaf in params.items()}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    rng = np.random.default_rng(1)

    def tokens(low, high):
        return np.append(rng.integers(2, 40, rng.integers(low, high)), 1).astype(np.int32)

    examples = [(tokens(1, 23), tokens(1, 15)) for _ in range(13)]
    path = tmp_path_factory.mktemp("stores") / "store"
    return write_store(path, [token_batch(examples)], provenance={}, max_inputs=64, max_targets=32)


@functools.partial(jax.jit, static_argnums=0)
def decode(graphdef, params, inputs):
    decoded = decode_batch(merge_params(graphdef, params), inputs, GenerationConfig(max_new_tokens=MAX_LENGTH))
    return decoded.tokens[:, 0], decoded.scores[:, 0]


def one_by_one(model, store):
    for index in range(len(store)):
        inputs = np.zeros((1, 24), np.int32)
        tokens = store.example(index)[0]
        inputs[0, : len(tokens)] = tokens
        row = np.asarray(decode(*model, jnp.asarray(inputs))[0])[0].tolist()
        row = row[: row.index(1)] if 1 in row else row
        yield [token for token in row if token]


def test_a_store_is_decoded_as_its_examples_one_by_one(model, store):
    outputs = generate(*model, store, batch_size=4, max_length=MAX_LENGTH)
    assert [output.tolist() for output in outputs] == list(one_by_one(model, store))
    assert len({tuple(output) for output in outputs}) > 8  # or the order would not be tested
    assert min(map(len, outputs)) < MAX_LENGTH
    assert all(output.dtype == np.int32 and len(output) <= MAX_LENGTH for output in outputs)


def test_a_list_of_inputs_gives_what_the_store_gives(model, store):
    inputs = [store.example(index)[0] for index in range(len(store))]
    whole = generate(*model, store, batch_size=4, max_length=MAX_LENGTH)
    listed = generate(*model, inputs, batch_size=4, max_length=MAX_LENGTH)
    assert [a.tolist() for a in listed] == [b.tolist() for b in whole]


def test_put_brings_every_batch_to_the_device(model, store):
    shapes = []

    def put(rows):
        shapes.append(rows.shape)
        return jnp.asarray(rows)

    generate(*model, store, batch_size=4, max_length=MAX_LENGTH, put=put)
    assert len(shapes) == 4
    assert {rows for rows, _ in shapes} == {4}
    assert [length for _, length in shapes] == sorted((length for _, length in shapes), reverse=True)


def test_nothing_in_nothing_out(model):
    assert generate(*model, [], batch_size=4, max_length=MAX_LENGTH) == []


def test_progress_goes_to_standard_error(model, store, capsys):
    generate(*model, store, batch_size=4, max_length=MAX_LENGTH, label="decoding toy")
    captured = capsys.readouterr()
    assert "decoding toy: 13 examples" in captured.err
    assert captured.out == ""


def test_target_scores_are_the_models_log_likelihoods(model, store):
    scores = score_targets(*model, store, batch_size=4)
    forward = jax.jit(lambda batch: jax.nn.log_softmax(merge_params(*model)(batch)))
    for index in range(0, len(store), 4):
        inputs, targets = (np.zeros((1, n), np.int32) for n in (24, 16))
        given, wanted = store.example(index)
        inputs[0, : len(given)], targets[0, : len(wanted)] = given, wanted
        shifted = np.concatenate([np.zeros((1, 1), np.int32), targets[:, :-1]], axis=1)
        log_probs = forward(
            {
                "encoder_inputs": jnp.asarray(inputs),
                "encoder_segment_ids": jnp.asarray(inputs > 0, jnp.int32),
                "decoder_inputs": jnp.asarray(shifted),
                "decoder_segment_ids": jnp.asarray(targets > 0, jnp.int32),
            }
        )
        expected = sum(float(log_probs[0, t, token]) for t, token in enumerate(wanted))
        assert scores.log_probs[index] == pytest.approx(expected, rel=1e-4)
        assert scores.tokens[index] == len(wanted)


def test_the_log_likelihood_of_a_greedy_output_is_the_decoders(model, tmp_path):
    inputs = np.array([7, 9, 30, 1], np.int32)
    padded = np.zeros((1, 24), np.int32)
    padded[0, :4] = inputs
    tokens, log_prob = jax.device_get(decode(*model, jnp.asarray(padded)))
    targets = tokens[0]
    assert (targets > 0).all()  # padding that a model emits is no part of a target
    store = write_store(
        tmp_path / "store", [token_batch([(inputs, targets)])], provenance={}, max_inputs=64, max_targets=64
    )
    assert score_targets(*model, store, batch_size=4).log_probs[0] == pytest.approx(log_prob[0], rel=1e-4)


def test_scores_of_answers_are_the_models_log_likelihoods(model, store):
    """Each answer as it was decoded, teacher-forced on its own, without the cache of the decoder."""
    outputs = generate_scored(*model, store, batch_size=4, max_length=MAX_LENGTH)
    assert [output.tokens.tolist() for output in outputs] == list(one_by_one(model, store))
    forward = jax.jit(lambda batch: jax.nn.log_softmax(merge_params(*model)(batch)))
    ended = set()
    for index, output in enumerate(outputs):
        inputs, answer = np.zeros((1, 24), np.int32), np.zeros(MAX_LENGTH, np.int32)
        given = store.example(index)[0]
        inputs[0, : len(given)] = given
        decoded = np.asarray(decode(*model, jnp.asarray(inputs))[0])[0]
        answer[:] = decoded  # with padding in its midst, if the model emits some
        length = int(np.argmax(answer == 1)) + 1 if 1 in answer else MAX_LENGTH
        log_probs = forward(
            {
                "encoder_inputs": jnp.asarray(inputs),
                "encoder_segment_ids": jnp.asarray(inputs > 0, jnp.int32),
                "decoder_inputs": jnp.asarray([[0, *answer[:-1]]]),
                "decoder_segment_ids": jnp.ones((1, MAX_LENGTH), jnp.int32),
            }
        )
        expected = sum(float(log_probs[0, t, answer[t]]) for t in range(length))
        assert output.log_prob == pytest.approx(expected, rel=1e-4)
        assert output.length == length
        ended.add(1 in answer)
    assert ended == {True, False}
