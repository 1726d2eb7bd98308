import math
from typing import Any

import jax.numpy as jnp
import pytest

from t5mix.training.schedule import SCHEDULES, Constant, Cosine, Linear, ReciprocalSquareRoot


def make(kind: str, **settings: Any) -> Any:
    cls: Any = SCHEDULES[kind]
    return cls(**settings)


def values(schedule: Any, steps: int, at: list[int]) -> list[float]:
    rate = schedule.build(steps)
    return [float(rate(jnp.int32(step))) for step in at]


def test_constant():
    assert values(Constant(learning_rate=0.003), 10, [0, 5, 9, 100]) == pytest.approx([0.003] * 4)


def test_reciprocal_square_root_is_the_papers():
    rates = values(ReciprocalSquareRoot(), 2**19, [0, 1, 9_999, 10_000, 40_000, 2**19])
    assert rates == pytest.approx([0.01, 0.01, 0.01, 0.01, 0.005, 2**-9.5], rel=1e-5)


def test_linear():
    rates = values(Linear(learning_rate=1.0, end_value=0.2), 100, [0, 25, 50, 100, 1000])
    assert rates == pytest.approx([1.0, 0.8, 0.6, 0.2, 0.2])


def test_cosine():
    rates = values(Cosine(learning_rate=1.0, end_value=0.1), 100, [0, 25, 50, 100, 1000])
    middle = 0.1 + 0.9 * 0.5
    assert rates == pytest.approx([1.0, 0.1 + 0.9 * (0.5 + math.sqrt(0.125)), middle, 0.1, 0.1], abs=1e-6)


@pytest.mark.parametrize("kind", sorted(SCHEDULES))
def test_the_warm_up_is_linear_and_its_first_step_moves(kind: str):
    schedule, without = make(kind, warmup_steps=10), make(kind)
    peak = values(without, 100, [0])[0]
    rates = values(schedule, 100, [0, 4, 9, 10])
    assert rates[:3] == pytest.approx([0.1 * peak, 0.5 * peak, peak], rel=1e-5)
    assert rates[3] == pytest.approx(peak, rel=1e-5)


@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_the_decay_begins_after_the_warm_up_and_ends_with_the_run(kind: str):
    schedule = make(kind, learning_rate=1.0, warmup_steps=20)
    assert values(schedule, 100, [20, 60, 100]) == pytest.approx([1.0, 0.5, 0.0], abs=1e-6)


@pytest.mark.parametrize("kind", sorted(SCHEDULES))
def test_a_warm_up_as_long_as_the_run_stays_finite(kind: str):
    rates = values(make(kind, warmup_steps=10), 10, [0, 9, 10])
    assert all(math.isfinite(rate) and rate >= 0 for rate in rates)


@pytest.mark.parametrize("kind", sorted(SCHEDULES))
@pytest.mark.parametrize("rate", [0.0, -1.0, math.inf, math.nan])
def test_impossible_rates_are_refused(kind: str, rate: float):
    with pytest.raises(ValueError, match=r"schedule\.learning_rate is"):
        make(kind, learning_rate=rate)


@pytest.mark.parametrize("kind", sorted(SCHEDULES))
def test_a_negative_warm_up_is_refused(kind: str):
    with pytest.raises(ValueError, match=r"schedule\.warmup_steps is -1"):
        make(kind, warmup_steps=-1)


def test_no_held_step_is_refused():
    with pytest.raises(ValueError, match=r"schedule\.hold_steps is 0"):
        ReciprocalSquareRoot(hold_steps=0)
