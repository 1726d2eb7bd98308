import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t5mix.training import losses

LOGITS = np.random.default_rng(0).normal(size=(2, 3, 7)).astype(np.float32) * 2
TARGETS = np.array([[1, 0, 6], [3, 3, 2]])


def log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits.astype(np.float64)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def test_cross_entropy_is_minus_the_log_probability():
    found = losses.token_losses(jnp.asarray(LOGITS), jnp.asarray(TARGETS))
    expected = -np.take_along_axis(log_softmax(LOGITS), TARGETS[..., None], -1)[..., 0]
    np.testing.assert_allclose(found.cross_entropy, expected, rtol=1e-5)
    np.testing.assert_array_equal(found.objective, found.cross_entropy)
    np.testing.assert_array_equal(found.correct, (LOGITS.argmax(-1) == TARGETS))


def test_z_loss_adds_the_squared_log_partition():
    found = losses.token_losses(jnp.asarray(LOGITS), jnp.asarray(TARGETS), z_loss=1e-2)
    log_z = np.log(np.exp(LOGITS.astype(np.float64)).sum(-1))
    np.testing.assert_allclose(found.objective - found.cross_entropy, 1e-2 * log_z**2, rtol=1e-4)


@pytest.mark.parametrize("smoothing", [0.1, 0.5])
def test_label_smoothing_is_cross_entropy_against_the_smoothed_target(smoothing: float):
    found = losses.token_losses(jnp.asarray(LOGITS), jnp.asarray(TARGETS), label_smoothing=smoothing)
    wanted = np.full(LOGITS.shape, smoothing / 7) + (1 - smoothing) * np.eye(7)[TARGETS]
    np.testing.assert_allclose(found.objective, -(wanted * log_softmax(LOGITS)).sum(-1), rtol=1e-5)


def test_sums_by_task_leave_padding_out():
    values = jnp.arange(6.0).reshape(2, 3)
    tasks = jnp.array([[0, 0, 2], [2, 2, 0]])
    mask = jnp.array([[True, True, True], [True, False, False]])
    found = jax.jit(losses.sum_by_task, static_argnums=3)(values, tasks, mask, 4)
    np.testing.assert_array_equal(found, [1, 0, 5, 0])
