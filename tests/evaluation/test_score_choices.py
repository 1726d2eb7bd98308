"""The likelihoods of labels, against a decoder that is fed their tokens one by one."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t5mix import metrics
from t5mix.data.ragged import token_batch
from t5mix.data.token_store import TokenStore, write_store
from t5mix.decoding.session import start, step
from t5mix.evaluation.generate import score_choices, score_targets
from t5mix.finetuning import PerTask, PrefixTuning, PromptTuning
from t5mix.model.config import T5Config
from t5mix.model.t5 import abstract_model, init_params, merge_params

CONFIG = T5Config(vocab_size=40, d_model=16, d_ff=32, d_kv=8, num_heads=2, num_layers=1, num_decoder_layers=1)
YES, YES_BUT, NO = (5, 1), (5, 37, 1), (7, 1)
CHOICES = (YES, YES_BUT, NO, (8, 9, 10, 11, 1), (2, 1))
MANY = [*CHOICES, *((token, 12, token + 1, 13, 14, 1) for token in (15, 16))]
"""More tokens than go through the decoder at once, in groups that do not come out even."""

BANK = PerTask(policy=PromptTuning(length=3), tasks=("red", "green"))
Model = tuple[Any, dict[str, jax.Array]]


@functools.cache
def model_of(policy: Any = None) -> Model:
    adapt = policy and policy.adapt
    params = init_params(CONFIG, jax.random.key(0), adapt)
    draw = np.random.default_rng(1)
    # What fine-tuning adds starts at nothing: noise makes it count. A stronger cross-attention tells examples apart.
    noisy = {path: leaf + 0.2 * draw.standard_normal(leaf.shape).astype(np.float32) for path, leaf in params.items()}
    return abstract_model(CONFIG, adapt)[0], {
        path: leaf * (3.0 if "cross_attention/" in path else 1.0) for path, leaf in noisy.items()
    }


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> TokenStore:
    rng = np.random.default_rng(2)
    inputs = [np.append(rng.integers(2, 40, length), 1).astype(np.int32) for length in (3, 22, 9, 1, 17, 30, 5)]
    path = tmp_path_factory.mktemp("stores") / "store"
    examples = [(tokens, np.array(YES_BUT, np.int32)) for tokens in inputs]
    return write_store(path, [token_batch(examples)], provenance={}, max_inputs=64, max_targets=32)


def fed_one_by_one(model: Model, store: TokenStore, choices: Sequence[Sequence[int]], task: int | None) -> np.ndarray:
    """The log-likelihoods [examples, choices], by the decoder that `generate` uses."""
    graphdef, params = model
    inputs = np.zeros((len(store), 32), np.int32)
    for index in range(len(store)):
        tokens = store.example(index)[0]
        inputs[index, : len(tokens)] = tokens
    tasks = None if task is None else jnp.full(len(store), task)

    longest = max(map(len, choices))

    @jax.jit
    def totals(params: Any, choices: jax.Array) -> jax.Array:
        net = merge_params(graphdef, params)
        begin = start(net, jnp.asarray(inputs), longest, task_ids=tasks)

        def total(choice: jax.Array) -> jax.Array:
            def feed(before: Any, index: jax.Array) -> tuple[Any, jax.Array]:
                session, last = before
                logits, session = step(net, session, jnp.full((len(store), 1), last), index)
                token = choice[index]
                return (session, token), jnp.where(token > 0, jax.nn.log_softmax(logits)[:, 0, token], 0.0)

            return jax.lax.scan(feed, (begin, jnp.int32(0)), jnp.arange(longest))[1].sum(axis=0)

        return jax.lax.map(total, choices).T

    padded = [[*choice, *[0] * (longest - len(choice))] for choice in choices]
    return np.asarray(totals(params, jnp.asarray(padded, jnp.int32)))


@pytest.mark.parametrize(
    ("policy", "task"),
    [
        (None, None),
        (PrefixTuning(length=3), None),
        (BANK, 1),
    ],
    ids=["plain", "prefix", "bank of prompts"],
)
def test_each_label_is_as_likely_as_its_tokens_one_by_one(policy: Any, task: int | None, store: TokenStore):
    scores = score_choices(*model_of(policy), store, CHOICES, batch_size=4, task_id=task)
    expected = fed_one_by_one(model_of(policy), store, CHOICES, task)
    assert (scores.shape, scores.dtype) == ((7, 5), np.float32)
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-4)
    assert np.ptp(expected, axis=0).min() > 0.01  # or the order of the examples would not be tested


def test_tasks_of_a_bank_differ(store: TokenStore):
    red, green = (score_choices(*model_of(BANK), store, CHOICES, batch_size=4, task_id=task) for task in (0, 1))
    assert np.abs(red - green).min(axis=1).max() > 1e-3


@pytest.mark.parametrize("batch_size", [1, 16])
def test_the_batch_size_does_not_matter(batch_size: int, store: TokenStore):
    scores = score_choices(*model_of(), store, CHOICES, batch_size=batch_size)
    expected = score_choices(*model_of(), store, CHOICES, batch_size=4)
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-5)


def test_how_many_labels_there_are_does_not_matter(store: TokenStore):
    many = score_choices(*model_of(), store, MANY, batch_size=4)
    few = score_choices(*model_of(), store, CHOICES, batch_size=4)
    np.testing.assert_allclose(many[:, :5], few, rtol=1e-5, atol=1e-5)
    targets = score_targets(*model_of(), store, batch_size=4).log_probs
    np.testing.assert_allclose(many[:, 1], targets, rtol=1e-5, atol=1e-5)
    (only,) = score_choices(*model_of(), store, [NO], batch_size=4).T
    np.testing.assert_allclose(only, many[:, 2], rtol=1e-5, atol=1e-5)


def test_a_label_may_be_the_beginning_of_another(store: TokenStore):
    """With the end left out, the one that goes on would never win."""
    winners = score_choices(*model_of(), store, [YES, YES_BUT], batch_size=4).argmax(axis=1)
    assert set(winners) == {0, 1}
    without_end = score_choices(*model_of(), store, [YES[:-1], YES_BUT[:-1]], batch_size=4)
    assert (without_end[:, 0] > without_end[:, 1]).all()


def test_the_length_decides_where_likelihoods_are_compared_by_token(store: TokenStore):
    labels, choices = ("short", "long"), (NO, CHOICES[3])
    scores = score_choices(*model_of(), store, choices, batch_size=4)
    assert metrics.most_probable(labels, scores) == ["short"] * len(store)
    assert "long" in metrics.most_probable(labels, scores, [len(choice) for choice in choices])


def test_rows_go_through_put_and_a_list_gives_what_the_store_gives(store: TokenStore):
    shapes: list[tuple[int, ...]] = []

    def put(rows: np.ndarray) -> jax.Array:
        shapes.append(rows.shape)
        return jnp.asarray(rows)

    inputs = [store.example(index)[0] for index in range(len(store))]
    listed = score_choices(*model_of(), inputs, CHOICES, batch_size=4, put=put)
    np.testing.assert_array_equal(listed, score_choices(*model_of(), store, CHOICES, batch_size=4))
    assert shapes == [(4, 32), (4, 16)]
    assert score_choices(*model_of(), [], CHOICES, batch_size=4).shape == (0, 5)
