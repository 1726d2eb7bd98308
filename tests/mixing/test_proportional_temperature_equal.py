import math

import pytest

from t5mix.errors import T5MixError
from t5mix.mixing import STRATEGIES, Equal, Proportional, Temperature
from t5mix.mixing.base import MixingBudget

BUDGET = MixingBudget(100, 1000.0)
SIZES = {"small": 100, "middle": 4_000, "large": 90_000}


def test_proportional_without_a_limit_follows_the_sizes():
    assert Proportional().init(SIZES, BUDGET) == {name: size / 94_100 for name, size in SIZES.items()}


def test_the_limit_clips_before_anything_else():
    assert Proportional(max_examples=1000).rates(SIZES) == {"small": 100, "middle": 1000, "large": 1000}
    assert Temperature(temperature=2, max_examples=2500).rates(SIZES) == {"small": 10, "middle": 50, "large": 50}


@pytest.mark.parametrize("limit", [None, 500, 2**20])
def test_temperature_one_is_proportional_and_infinity_is_equal(limit: int | None):
    proportional, equal = Proportional(max_examples=limit).init(SIZES, BUDGET), Equal().init(SIZES, BUDGET)
    for name in SIZES:
        assert Temperature(temperature=1, max_examples=limit).init(SIZES, BUDGET)[name] == pytest.approx(
            proportional[name], abs=1e-12
        )
        assert Temperature(temperature=math.inf, max_examples=limit).init(SIZES, BUDGET)[name] == pytest.approx(
            equal[name], abs=1e-12
        )


def test_proportions_match_hand_computed_values():
    rates = [math.sqrt(100), math.sqrt(4000), math.sqrt(90_000)]
    found = Temperature(temperature=2).init(SIZES, BUDGET)
    for name, rate in zip(SIZES, rates, strict=True):
        assert found[name] == pytest.approx(rate / sum(rates), abs=1e-12)


@pytest.mark.parametrize("strategy", [Equal(), Proportional(max_examples=7), Temperature(temperature=4)])
def test_static_strategies_ignore_step_and_feedback(strategy):
    state = strategy.init(SIZES, BUDGET)
    assert strategy.observe(state, {}) is state
    assert strategy.proportions(state, 0) == strategy.proportions(state, 10_000)
    assert math.fsum(state.values()) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("temperature", [0, -1, math.nan])
def test_impossible_temperatures_are_refused(temperature: float):
    with pytest.raises(ValueError, match=r"mixing.temperature is .* greater than 0"):
        Temperature(temperature=temperature)


@pytest.mark.parametrize("kind", ["proportional", "temperature"])
@pytest.mark.parametrize("limit", [0, -5])
def test_impossible_limits_are_refused(kind: str, limit: int):
    with pytest.raises(ValueError, match=f"mixing.max_examples is {limit}"):
        STRATEGIES[kind](max_examples=limit)


def test_empty_mixtures_and_tasks_are_refused():
    with pytest.raises(T5MixError, match="mixture is empty"):
        Equal().init({}, BUDGET)
    with pytest.raises(T5MixError, match="No training examples in b"):
        Equal().init({"a": 3, "b": 0}, BUDGET)
