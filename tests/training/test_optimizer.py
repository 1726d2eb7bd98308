"""Against Shazeer & Stern 2018, algorithm 4 and sections 6 to 8, written out in numpy."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from t5mix.training.optimizer import Adafactor, AdamW

LEARNING_RATE = 0.01


def rms(array: np.ndarray) -> float:
    return float(np.sqrt(np.mean(array**2)))


class NumpyAdafactor:
    """Decay 1 - t^-0.8, factored where two dimensions have 128 or more, clip 1.0, no momentum, parameter scaling."""

    def __init__(self) -> None:
        self.t = 0
        self.moments: dict[str, np.ndarray] = {}

    def update(self, gradients: dict[str, np.ndarray], params: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.t += 1
        return {name: self._update(name, gradients[name].astype(float), params[name]) for name in params}

    def _update(self, name: str, gradient: np.ndarray, param: np.ndarray) -> np.ndarray:
        square = gradient**2 + 1e-30
        if gradient.ndim == 2 and min(gradient.shape) >= 128:
            row, column = self._average(f"{name}/r", square.mean(1)), self._average(f"{name}/c", square.mean(0))
            second = np.outer(row, column) / row.mean()
        else:
            second = self._average(name, square)
        update = gradient / np.sqrt(second)
        update = update / max(1.0, rms(update) / 1.0)
        return -LEARNING_RATE * max(1e-3, rms(param)) * update

    def _average(self, name: str, new: np.ndarray) -> np.ndarray:
        decay = 1 - self.t**-0.8
        self.moments[name] = decay * self.moments.get(name, 0.0) + (1 - decay) * new
        return self.moments[name]


def apply(optimizer: optax.GradientTransformation, gradients: Any, state: Any, params: Any) -> tuple[Any, Any]:
    return optimizer.update(gradients, state, params)


@pytest.fixture(scope="module")
def params() -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    return {
        "kernel": draw.normal(0, 0.3, (128, 256)).astype(np.float32),
        "small": draw.normal(0, 0.3, (64, 256)).astype(np.float32),
        "scale": np.ones(256, np.float32),
        "tiny": np.full(256, 1e-5, np.float32),  # the step's scale has a floor
    }


def gradients_of(params: dict[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(seed)
    # Of very different sizes by row, so that factoring and clipping matter.
    return {
        name: (draw.normal(0, 1, leaf.shape) * draw.lognormal(0, 2, leaf.shape[:1] + (1,) * (leaf.ndim - 1))).astype(
            np.float32
        )
        for name, leaf in params.items()
    }


def test_adafactor_is_the_papers(params: dict[str, np.ndarray]):
    optimizer, reference = Adafactor().build(lambda step: jnp.float32(LEARNING_RATE)), NumpyAdafactor()
    state = optimizer.init(params)
    for seed in (1, 2, 3):
        gradients = gradients_of(params, seed)
        updates, state = apply(optimizer, gradients, state, params)
        expected = reference.update(gradients, params)
        for name in params:
            np.testing.assert_allclose(np.asarray(updates[name]), expected[name], rtol=2e-4, atol=1e-9, err_msg=name)


def test_adafactor_keeps_no_more_than_it_should(params: dict[str, np.ndarray]):
    state = Adafactor().build(lambda step: jnp.float32(1.0)).init(params)
    numbers = sum(leaf.size for leaf in jax.tree.leaves(state))
    assert numbers < 128 + 256 + 64 * 256 + 256 + 256 + 50  # two vectors for the factored matrix, and no momentum


def test_adafactors_clip_holds(params: dict[str, np.ndarray]):
    # A second gradient far larger than the first: the raw update would be large, and is cut to a RMS of 1.
    optimizer = Adafactor(multiply_by_parameter_scale=False).build(lambda step: jnp.float32(1.0))
    state = optimizer.init({"scale": params["scale"]})
    _, state = apply(optimizer, {"scale": params["scale"] * 1e-3}, state, {"scale": params["scale"]})
    updates, _ = apply(optimizer, {"scale": params["scale"]}, state, {"scale": params["scale"]})
    assert rms(np.asarray(updates["scale"])) == pytest.approx(1.0, rel=1e-5)


def test_adafactor_follows_the_schedule(params: dict[str, np.ndarray]):
    optimizer = Adafactor().build(lambda step: 0.1 / (1.0 + step))
    state, sizes = optimizer.init({"scale": params["scale"]}), []
    for _ in range(3):
        updates, state = apply(optimizer, {"scale": params["scale"]}, state, {"scale": params["scale"]})
        sizes.append(rms(np.asarray(updates["scale"])))
    assert sizes == pytest.approx([0.1, 0.05, 0.1 / 3], rel=1e-5)


def test_adamw_decays_matrices_alone():
    params = {"kernel": jnp.full((2, 3), 2.0), "scale": jnp.full(3, 2.0)}
    optimizer = AdamW(weight_decay=0.1).build(lambda step: jnp.float32(0.5))
    updates, _ = apply(optimizer, jax.tree.map(jnp.zeros_like, params), optimizer.init(params), params)
    assert np.asarray(updates["kernel"]) == pytest.approx(np.full((2, 3), -0.5 * 0.1 * 2.0))
    assert np.asarray(updates["scale"]).tolist() == [0.0] * 3


def test_adamws_first_update_is_the_sign_of_the_gradient():
    params, gradients = {"scale": jnp.zeros(3)}, {"scale": jnp.asarray([0.5, -2.0, 3.0])}
    optimizer = AdamW().build(lambda step: jnp.float32(0.1))
    updates, _ = apply(optimizer, gradients, optimizer.init(params), params)
    after = optax.apply_updates(params, updates)
    assert np.asarray(after["scale"]) == pytest.approx([-0.1, 0.1, -0.1], rel=1e-4)  # type: ignore[index]


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (Adafactor, {"decay_rate": 0.0}),
        (Adafactor, {"decay_rate": 1.5}),
        (Adafactor, {"clipping_threshold": 0.0}),
        (Adafactor, {"epsilon": -1e-30}),
        (Adafactor, {"min_dim_size_to_factor": 0}),
        (AdamW, {"beta1": 1.0}),
        (AdamW, {"beta2": -0.1}),
        (AdamW, {"epsilon": float("inf")}),
        (AdamW, {"weight_decay": -0.01}),
    ],
)
def test_settings_without_a_meaning_are_refused(kind: Any, settings: dict[str, float]):
    ((name, value),) = settings.items()
    with pytest.raises(ValueError, match=f"optimizer.{name} is {value}"):
        kind(**settings)
