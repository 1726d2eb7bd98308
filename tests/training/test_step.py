"""The step on a bigram model, whose losses and gradients can be written out by hand in numpy."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from t5mix.checkpoint.train_state import TrainState, new_state
from t5mix.training import step as step_module
from t5mix.training.config import TrainingConfig
from t5mix.training.step import StepMetrics, make_step

VOCAB, TASKS, ROWS, WIDTH = 7, 3, 4, 6


class Bigram:
    """Logits are a row of a table; with a key, noise is added, as dropout would."""

    def __init__(self, params: Mapping[str, jax.Array]) -> None:
        self._params = params

    def __call__(self, batch: Mapping[str, jax.Array], *, key: jax.Array | None) -> jax.Array:
        logits = self._params["table"][batch["decoder_inputs"]] + self._params["bias"]
        if key is not None and "noise" in self._params:
            logits = logits + self._params["noise"] * jax.random.normal(key, logits.shape)
        return logits


@pytest.fixture(autouse=True)
def bigram(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_module, "merge_params", lambda graphdef, params: Bigram(params))


@pytest.fixture
def batch() -> dict[str, np.ndarray]:
    """Rows with two examples, one, one, and none; tasks 0 and 2; 13 loss tokens of 24 positions."""
    draw = np.random.default_rng(0)
    segments = np.asarray([[1, 1, 1, 2, 2, 0], [1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 0, 0], [0] * 6])
    tasks = np.asarray([[0, 0, 0, 2, 2, 0], [2, 2, 2, 2, 0, 0], [0, 0, 0, 0, 0, 0], [0] * 6])
    positions = np.asarray([[0, 1, 2, 0, 1, 0], [0, 1, 2, 3, 0, 0], [0, 1, 2, 3, 0, 0], [0] * 6])
    mask = segments > 0
    return {
        "decoder_inputs": np.where(mask, draw.integers(0, VOCAB, (ROWS, WIDTH)), 0).astype(np.int32),
        "decoder_targets": np.where(mask, draw.integers(0, VOCAB, (ROWS, WIDTH)), 0).astype(np.int32),
        "decoder_segment_ids": segments.astype(np.int32),
        "decoder_positions": positions.astype(np.int32),
        "decoder_task_ids": tasks.astype(np.int32),
    }


@pytest.fixture
def params() -> dict[str, np.ndarray]:
    draw = np.random.default_rng(1)
    return {
        "table": draw.normal(size=(VOCAB, VOCAB)).astype(np.float32),
        "bias": draw.normal(size=VOCAB).astype(np.float32),
    }


@dataclasses.dataclass
class ByHand:
    """Token losses and the gradient of the summed objective with respect to the table."""

    cross_entropy: np.ndarray
    objective: np.ndarray
    correct: np.ndarray
    gradient: np.ndarray

    @classmethod
    def of(cls, params: Any, batch: Any, z_loss: float = 0.0, label_smoothing: float = 0.0) -> "ByHand":
        table, inputs, targets = params["table"].astype(float), batch["decoder_inputs"], batch["decoder_targets"]
        mask = batch["decoder_segment_ids"] > 0
        logits = table[inputs] + params["bias"]
        log_z = np.log(np.exp(logits).sum(-1))
        probabilities = np.exp(logits - log_z[..., None])
        wanted = np.eye(VOCAB)[targets] * (1 - label_smoothing) + label_smoothing / VOCAB
        cross_entropy = log_z - np.take_along_axis(logits, targets[..., None], -1)[..., 0]
        objective = log_z - (wanted * logits).sum(-1) + z_loss * log_z**2
        slope = (probabilities - wanted + z_loss * 2 * log_z[..., None] * probabilities) * mask[..., None]
        gradient = np.zeros_like(table)
        np.add.at(gradient, inputs, slope)
        correct = (logits.argmax(-1) == targets) & mask
        return cls(cross_entropy * mask, objective * mask, correct, gradient)


def take_step(
    params: Mapping[str, np.ndarray],
    batch: Any,
    config: TrainingConfig,
    *,
    frozen: Any = None,
    seed: int = 0,
    at: int = 0,
) -> tuple[TrainState, StepMetrics, dict[str, np.ndarray]]:
    """One step of plain gradient descent at rate 1, and the gradients that it must have had."""
    optimizer = optax.sgd(1.0)
    trained = {name: jnp.asarray(leaf) for name, leaf in params.items()}
    state = new_state(trained, frozen or {}, optimizer)._replace(step=jnp.int32(at))
    graphdef: Any = None
    step = jax.jit(make_step(graphdef, optimizer, lambda n: 0.5 + n, config, TASKS, seed))
    after, metrics = step(state, batch)
    return after, metrics, {name: params[name] - np.asarray(after.trained[name]) for name in params}


def config(**changes: Any) -> TrainingConfig:
    return TrainingConfig(**{"batch_size": ROWS, "z_loss": 0.0, **changes})


@pytest.mark.parametrize(
    ("normalizer", "divisor"), [("loss_tokens", 13), ("positions", 24), ("examples", 4), ("sum", 1)]
)
def test_the_summed_loss_is_divided_as_named(params: Any, batch: Any, normalizer: Any, divisor: int):
    _, metrics, gradients = take_step(params, batch, config(loss_normalizer=normalizer))
    expected = ByHand.of(params, batch).gradient / divisor
    np.testing.assert_allclose(gradients["table"], expected, atol=1e-6)
    everything = np.concatenate([gradients["table"].ravel(), gradients["bias"]])
    assert float(metrics.gradient_norm) == pytest.approx(float(np.linalg.norm(everything)), rel=1e-5)


def test_sums_by_task_add_up_to_the_whole(params: Any, batch: Any):
    _, metrics, _ = take_step(params, batch, config())
    hand, sums = ByHand.of(params, batch), metrics.sums
    tasks, mask = batch["decoder_task_ids"], batch["decoder_segment_ids"] > 0
    assert float(sums.objective) == pytest.approx(hand.objective.sum(), rel=1e-6)
    assert float(sums.cross_entropy.sum()) == pytest.approx(float(sums.objective), rel=1e-6)
    for task in range(TASKS):
        mine = mask & (tasks == task)
        assert float(sums.cross_entropy[task]) == pytest.approx(hand.cross_entropy[mine].sum(), rel=1e-6)
        assert float(sums.loss_tokens[task]) == mine.sum()
        assert float(sums.correct[task]) == hand.correct[mine].sum()


def test_padding_counts_for_no_task(params: Any, batch: Any):
    _, before, gradients = take_step(params, batch, config())
    padding = batch["decoder_segment_ids"] == 0
    for name in ("decoder_inputs", "decoder_targets", "decoder_task_ids"):
        batch[name] = np.where(padding, 2, batch[name]).astype(np.int32)
    _, after, others = take_step(params, batch, config())
    jax.tree.map(np.testing.assert_array_equal, before.sums, after.sums)
    np.testing.assert_array_equal(gradients["table"], others["table"])


def test_z_loss_and_smoothing_are_trained_on_and_not_reported(params: Any, batch: Any):
    settings = {"z_loss": 0.1, "label_smoothing": 0.2}
    _, metrics, gradients = take_step(params, batch, config(**settings))
    hand = ByHand.of(params, batch, **settings)
    np.testing.assert_allclose(gradients["table"], hand.gradient / 13, atol=1e-6)
    assert float(metrics.sums.objective) == pytest.approx(hand.objective.sum(), rel=1e-6)
    assert float(metrics.sums.cross_entropy.sum()) == pytest.approx(hand.cross_entropy.sum(), rel=1e-6)
    assert hand.objective.sum() > hand.cross_entropy.sum()


@pytest.mark.parametrize("normalizer", ["loss_tokens", "positions", "examples", "sum"])
@pytest.mark.parametrize("parts", [2, 4])
def test_microbatches_add_up_to_the_batch(params: Any, batch: Any, parts: int, normalizer: Any):
    _, whole, gradients = take_step(params, batch, config(loss_normalizer=normalizer))
    _, split, others = take_step(params, batch, config(loss_normalizer=normalizer, gradient_accumulation_steps=parts))
    for name in params:
        np.testing.assert_allclose(others[name], gradients[name], atol=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), whole.sums, split.sums)
    assert float(split.gradient_norm) == pytest.approx(float(whole.gradient_norm), rel=1e-5)


def test_clipping_shortens_the_gradient_and_keeps_its_direction(params: Any, batch: Any):
    _, free, gradients = take_step(params, batch, config())
    norm = float(free.gradient_norm)
    _, metrics, clipped = take_step(params, batch, config(max_grad_norm=norm / 4))
    assert float(metrics.gradient_norm) == pytest.approx(norm)  # reported before clipping
    for name in params:
        np.testing.assert_allclose(clipped[name], gradients[name] / 4, atol=1e-6)
    _, _, untouched = take_step(params, batch, config(max_grad_norm=norm * 2))
    np.testing.assert_allclose(untouched["table"], gradients["table"], atol=1e-7)


def test_a_batch_of_padding_changes_nothing(params: Any, batch: Any):
    empty = {name: np.zeros_like(array) for name, array in batch.items()}
    for normalizer in ("loss_tokens", "examples"):
        _, metrics, gradients = take_step(params, empty, config(loss_normalizer=normalizer, max_grad_norm=1.0))
        assert float(metrics.gradient_norm) == 0
        assert not np.any(gradients["table"])
        assert float(metrics.sums.loss_tokens.sum()) == 0


def test_frozen_parameters_stay_and_have_no_part_in_the_norm(params: Any, batch: Any):
    _, whole, gradients = take_step(params, batch, config())
    frozen = {"bias": jnp.asarray(params["bias"])}
    after, metrics, others = take_step({"table": params["table"]}, batch, config(), frozen=frozen)
    np.testing.assert_array_equal(after.frozen["bias"], params["bias"])
    np.testing.assert_allclose(others["table"], gradients["table"], atol=1e-7)
    assert float(metrics.gradient_norm) < float(whole.gradient_norm)
    assert float(metrics.gradient_norm) == pytest.approx(float(np.linalg.norm(gradients["table"])), rel=1e-5)


def test_the_step_counts_and_reports_the_rate_in_force(params: Any, batch: Any):
    after, metrics, _ = take_step(params, batch, config(), at=6)
    assert int(after.step) == 7
    assert float(metrics.learning_rate) == 6.5


@pytest.mark.parametrize("parts", [1, 2])
def test_randomness_is_a_function_of_seed_and_step(params: Any, batch: Any, parts: int):
    frozen = {"noise": jnp.float32(1.0)}

    def loss(seed: int, at: int) -> float:
        _, metrics, _ = take_step(
            params, batch, config(gradient_accumulation_steps=parts), frozen=frozen, seed=seed, at=at
        )
        return float(metrics.sums.objective)

    assert loss(0, 3) == loss(0, 3)
    assert len({loss(0, 3), loss(0, 4), loss(1, 3)}) == 3


def test_microbatches_have_noise_of_their_own(params: Any, batch: Any):
    twice = {name: np.concatenate([array[:1], array[:1]]) for name, array in batch.items()}
    frozen = {"noise": jnp.float32(1.0)}
    once = {name: array[:1] for name, array in batch.items()}
    _, single, _ = take_step(params, once, config(batch_size=1), frozen=frozen)
    _, both, _ = take_step(params, twice, config(batch_size=2, gradient_accumulation_steps=2), frozen=frozen)
    assert float(both.sums.objective) != pytest.approx(2 * float(single.sums.objective), rel=1e-3)
