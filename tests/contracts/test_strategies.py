"""What every mixing strategy promises. Registering one adds its row here."""

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

import pytest

from t5mix.config.reading import strategy_from_dict, strategy_to_dict
from t5mix.errors import T5MixError
from t5mix.mixing import MixingStrategy, StaticStrategy
from t5mix.mixing.base import MixingBudget, TaskFeedback

SIZES = [
    {"only": 7},
    {"a": 100, "b": 4_000, "c": 90_000},
    {f"task{i}": 1 + i**3 for i in range(40)},
    {"tiny": 1, "huge": 10**9},
]
BUDGET = MixingBudget(steps=4000, amount=50_000.0)
FEEDBACK = [
    {
        name: TaskFeedback(
            3.0 * (i + step + 1), 10.0 * (i + 1), i + 1, amount=i + 1, proportion=0.2, excess_sum=i + step
        )
        for i, name in enumerate("abc")
    }
    for step in range(3)
]


@pytest.fixture
def strategy(make: Any) -> Any:
    """Each registered strategy, for the tasks of SIZES[1]."""
    return make(SIZES[1])


def assert_proportions(proportions: Mapping[str, float], sizes: Mapping[str, int]) -> None:
    assert proportions.keys() == sizes.keys()
    assert all(isinstance(proportion, float) and 0 <= proportion <= 1 for proportion in proportions.values())
    assert math.fsum(proportions.values()) == pytest.approx(1, abs=1e-12)


def test_it_is_a_frozen_dataclass(make: Any):
    strategy = make(SIZES[1])
    assert isinstance(strategy, MixingStrategy)
    assert dataclasses.is_dataclass(strategy)
    assert strategy == make(SIZES[1])
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(strategy, "anything", 1)  # noqa: B010


def test_it_survives_configuration(strategy: Any):
    raw = json.loads(json.dumps(strategy_to_dict(strategy)))
    assert strategy_from_dict(raw) == strategy
    with pytest.raises(T5MixError, match=r"Unknown configuration key 'mixing\.no_such_setting'"):
        strategy_from_dict({**raw, "no_such_setting": 1})


@pytest.mark.parametrize("sizes", SIZES, ids=len)
def test_weights_are_proportions_of_all_tasks(make: Any, sizes: dict[str, int]):
    strategy = make(sizes)
    state = strategy.init(sizes, BUDGET)
    for step in (0, 1, 1000, 2**20):
        assert_proportions(strategy.proportions(state, step), sizes)


def test_weights_stay_proportions_under_feedback(strategy: Any):
    state = strategy.init(SIZES[1], BUDGET)
    for step, feedback in enumerate(FEEDBACK):
        state = strategy.observe(state, feedback)
        assert_proportions(strategy.proportions(state, step + 1), SIZES[1])


def test_a_task_that_was_not_drawn_gives_no_feedback(strategy: Any):
    state = strategy.init(SIZES[1], BUDGET)
    for feedback in ({}, {"a": TaskFeedback(1.0, 2.0, 1, 1, 0.1, 0.5)}, {"b": TaskFeedback(0.0, 0.0, 0, 0, 0.1, 0.0)}):
        state = strategy.observe(state, feedback)
        assert_proportions(strategy.proportions(state, 1), SIZES[1])


def test_its_functions_are_pure(strategy: Any):
    sizes = dict(SIZES[1])
    first, second = strategy.init(sizes, BUDGET), strategy.init(sizes, BUDGET)
    assert first == second
    assert sizes == SIZES[1]
    before = json.dumps(first)
    assert strategy.proportions(first, 3) == strategy.proportions(first, 3)
    assert strategy.observe(first, FEEDBACK[0]) == strategy.observe(second, FEEDBACK[0])
    assert json.dumps(first) == before


def test_its_state_survives_json(strategy: Any):
    state = strategy.init(SIZES[1], BUDGET)
    for step, feedback in enumerate(FEEDBACK):
        read = json.loads(json.dumps(state))
        assert read == state
        assert strategy.proportions(read, step) == strategy.proportions(state, step)
        assert strategy.observe(read, feedback) == strategy.observe(state, feedback)
        state = strategy.observe(state, feedback)


def test_the_order_of_the_tasks_plays_no_part(strategy: Any):
    backwards = dict(reversed(SIZES[1].items()))
    found, other = (strategy.proportions(strategy.init(sizes, BUDGET), 0) for sizes in (SIZES[1], backwards))
    assert {name: other[name] for name in found} == pytest.approx(found, abs=1e-12)


def test_what_cannot_be_mixed_is_refused(strategy: Any):
    for sizes in ({}, {"a": 0, "b": 3}):
        with pytest.raises(T5MixError):
            strategy.init(sizes, BUDGET)


def test_a_static_strategys_weights_are_its_normalised_rates(make: Any):
    if not isinstance(make(SIZES[0]), StaticStrategy):
        pytest.skip("its proportions do not follow from the sizes alone")
    for sizes in SIZES:
        strategy = make(sizes)
        rates = strategy.rates(sizes)
        total = math.fsum(rates.values())
        state = strategy.init(sizes, BUDGET)
        assert strategy.observe(state, {}) == state
        assert strategy.proportions(state, 0) == strategy.proportions(state, 10**6)
        assert strategy.proportions(state, 0) == pytest.approx({name: rate / total for name, rate in rates.items()})
