import math
from typing import Any

import pytest

from t5mix.errors import T5MixError
from t5mix.mixing import AnnealedTemperature, Capped, Equal, Fixed, PhasedMixing, Proportional, Temperature, TwoPhase
from t5mix.mixing.base import MixingBudget, MixingStrategy

SIZES = {"small": 100, "middle": 4_000, "large": 90_000}
BUDGET = MixingBudget(1000, 5000.0)


def at(strategy: Any, step: int) -> dict[str, float]:
    return strategy.proportions(strategy.init(SIZES, BUDGET), step)


@pytest.mark.parametrize("shape", ["linear", "cosine"])
def test_annealing_ends_where_the_static_strategies_are(shape: Any):
    strategy = AnnealedTemperature(initial_temperature=math.inf, final_temperature=1.0, shape=shape)
    assert at(strategy, 0) == pytest.approx(Equal().init(SIZES, BUDGET), abs=1e-12)
    for step in (1000, 5000):
        assert at(strategy, step) == pytest.approx(Proportional().init(SIZES, BUDGET), abs=1e-12)
    half = Temperature(temperature=2.0).init(SIZES, BUDGET)
    assert at(strategy, 500) == pytest.approx(half, abs=1e-12)  # the exponent is half way from 0 to 1


def test_annealing_clips_first_and_can_end_early():
    strategy = AnnealedTemperature(initial_temperature=8.0, final_temperature=2.0, max_examples=2500, anneal_until=200)
    assert at(strategy, 200) == pytest.approx(
        Temperature(temperature=2, max_examples=2500).init(SIZES, BUDGET), abs=1e-12
    )
    quarter = 0.75 / 8 + 0.25 / 2
    rates = [100**quarter, 2500**quarter, 2500**quarter]
    assert list(at(strategy, 50).values()) == pytest.approx([rate / sum(rates) for rate in rates], abs=1e-12)


def test_phases_follow_each_other():
    strategy = PhasedMixing(strategies=(Equal(), Proportional(), Temperature()), starts=(0, 100, 0.5))
    equal, proportional, temperature = (s.init(SIZES, BUDGET) for s in strategy.strategies)
    found = [at(strategy, step) for step in (0, 99, 100, 499, 500, 10**6)]
    assert found == [equal, equal, proportional, proportional, temperature, temperature]


def test_two_phases_begin_with_the_large_tasks_alone():
    strategy = TwoPhase(strategy=Proportional(), large_task_fraction=0.04, switch=0.25)
    assert at(strategy, 249) == pytest.approx({"small": 0.0, "middle": 4 / 94, "large": 90 / 94})
    assert at(strategy, 250) == Proportional().init(SIZES, BUDGET)


def test_the_tasks_that_inner_strategies_name_are_named():
    fixed = Fixed(task_weights={"a": 1, "b": 1})
    assert PhasedMixing(strategies=(Equal(), fixed), starts=(0, 5)).named_tasks == ("a", "b")
    assert TwoPhase(strategy=fixed).named_tasks == ("a", "b")
    assert TwoPhase().named_tasks == ()


@pytest.mark.parametrize(
    ("strategy", "enough", "message"),
    [
        (AnnealedTemperature(anneal_until=100), 100, "mixing.anneal_until is 100, .* final temperature is not reached"),
        (AnnealedTemperature(anneal_until=1.0), 1, None),
        (TwoPhase(switch=100), 101, "mixing.switch is 100, .* the second phase never begins.* a share of it, such as"),
        (TwoPhase(switch=0.9), 1, None),
        (TwoPhase(switch=1.0), None, "mixing.switch is 1.0"),
        (PhasedMixing(strategies=(Equal(), Equal()), starts=(0, 1_000)), 1001, "mixing.starts is 1,000, and the run"),
        (PhasedMixing(strategies=(Equal(), TwoPhase(switch=50)), starts=(0, 0.5)), 51, "mixing.switch is 50"),
        (TwoPhase(strategy=AnnealedTemperature(anneal_until=50)), 50, "mixing.anneal_until is 50"),
        (Capped(strategy=TwoPhase(switch=50)), 51, "mixing.switch is 50"),
    ],
)
def test_what_would_never_come_is_refused(strategy: MixingStrategy, enough: int | None, message: str | None):
    if enough is not None:
        strategy.check_steps(enough)
    if message is not None:
        with pytest.raises(T5MixError, match=message):
            strategy.check_steps(1 if enough is None else enough - 1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AnnealedTemperature(initial_temperature=0.0), "mixing.temperature is 0.0"),
        (lambda: AnnealedTemperature(final_temperature=math.nan), "mixing.temperature is nan"),
        (lambda: AnnealedTemperature(max_examples=0), "mixing.max_examples is 0"),
        (lambda: AnnealedTemperature(anneal_until=1.5), "mixing.anneal_until is 1.5: give a step"),
        (lambda: TwoPhase(switch=0), "mixing.switch is 0"),
        (lambda: TwoPhase(large_task_fraction=2.0), "mixing.large_task_fraction is 2.0"),
        (lambda: PhasedMixing(strategies=(), starts=()), "there must be a strategy"),
        (lambda: PhasedMixing(strategies=(Equal(), Equal()), starts=(0,)), "1 entries for 2 mixing.strategies"),
        (lambda: PhasedMixing(strategies=(Equal(),), starts=(5,)), "the first phase starts at 0"),
        (lambda: PhasedMixing(strategies=(Equal(),) * 3, starts=(0, 20, 10)), "must start after the one before"),
    ],
)
def test_impossible_schedules_are_refused(make: Any, message: str):
    with pytest.raises(ValueError, match=message):
        make()
