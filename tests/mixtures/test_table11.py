"""The settings of the paper's table 11, on the demo mixture: proportions against arithmetic that shares no code."""

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest

from t5mix.mixing import Equal, Proportional, StaticStrategy, Temperature
from t5mix.mixing.base import MixingBudget
from t5mix.tasks.demo_world import MAKERS

SIZES = {
    "demo_acceptability": 6000,
    "demo_sentiment": 5000,
    "demo_entailment": 20000,
    "demo_paraphrase": 3000,
    "demo_similarity": 4000,
    "demo_qa": 12000,
    "demo_closed_book": 1500,
    "demo_pronoun": 400,
    "demo_translation": 30000,
    "demo_summary": 4000,
}
LIMITS = [2**power for power in range(7, 16)]
TEMPERATURES = [1, 2, 4, 8, math.inf]


def proportions(strategy: StaticStrategy) -> dict[str, float]:
    return strategy.proportions(strategy.init(SIZES, MixingBudget(1000, 1e6)), 0)


def by_hand(limit: int | None, temperature: float) -> dict[str, float]:
    """min(e, K) ** (1 / T), normalised, in 50 decimal digits."""
    with localcontext() as context:
        context.prec = 50
        power = Decimal(0) if math.isinf(temperature) else 1 / Decimal(temperature)
        rates = {name: Decimal(min(size, limit or size)) ** power for name, size in SIZES.items()}
        return {name: float(rate / sum(rates.values())) for name, rate in rates.items()}


def test_the_sizes_are_those_of_the_demo():
    assert {name: MAKERS[name][1].train for name in SIZES} == SIZES


@pytest.mark.parametrize("limit", [*LIMITS, None])
def test_examples_proportional(limit: int | None):
    clipped = {name: min(size, limit or size) for name, size in SIZES.items()}
    exact = {name: float(Fraction(size, sum(clipped.values()))) for name, size in clipped.items()}
    assert proportions(Proportional(max_examples=limit)) == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("limit", [*LIMITS, None])
def test_temperature_scaled(limit: int | None, temperature: float):
    found = proportions(Temperature(temperature=temperature, max_examples=limit))
    assert found == pytest.approx(by_hand(limit, temperature), abs=1e-12)


def test_equal():
    assert proportions(Equal()) == pytest.approx(dict.fromkeys(SIZES, 0.1), abs=1e-12)


@pytest.mark.parametrize("limit", [*LIMITS, None])
def test_the_ends_of_the_temperature_are_proportional_and_equal(limit: int | None):
    ends = Temperature(temperature=1, max_examples=limit), Temperature(temperature=math.inf, max_examples=limit)
    assert proportions(ends[0]) == pytest.approx(proportions(Proportional(max_examples=limit)), abs=1e-12)
    assert proportions(ends[1]) == pytest.approx(proportions(Equal()), abs=1e-12)


def test_the_shape_of_the_table():
    """From equal mixing on, the smallest task's share falls as K rises or T falls, and the largest one's rises."""
    by_max_examples = [proportions(Proportional(max_examples=limit)) for limit in LIMITS]
    by_temperature = [proportions(Temperature(temperature=temperature)) for temperature in reversed(TEMPERATURES)]
    for rows in (by_max_examples, by_temperature):
        smallest, largest = ([row[name] for row in rows] for name in ("demo_pronoun", "demo_translation"))
        assert smallest == sorted(smallest, reverse=True)
        assert largest == sorted(largest)
        assert rows[0] == pytest.approx(dict.fromkeys(SIZES, 0.1), abs=1e-12)  # K below every size; T infinite
