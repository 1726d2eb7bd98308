import math

import pytest

from t5mix.mixing import Equal, UniMax
from t5mix.mixing.base import MixingBudget

SIZES = {"large": 90_000, "small": 100, "middle": 4_000}


def proportions(strategy: UniMax, amount: float, sizes: dict[str, int] = SIZES) -> dict[str, float]:
    return strategy.proportions(strategy.init(sizes, MixingBudget(100, amount)), 0)


def test_it_matches_the_definition_by_hand():
    # Budget 30,000, two epochs: 200 for small (an even share is 10,000), 8,000 for middle (14,900), the rest for large.
    expected = {"small": 200 / 30_000, "middle": 8_000 / 30_000, "large": 21_800 / 30_000}
    assert proportions(UniMax(max_epochs=2), 30_000) == pytest.approx(expected, abs=1e-12)


def test_no_task_passes_the_cap_and_those_below_it_get_the_same():
    sizes = {f"task{i}": 10 * 3**i for i in range(9)}
    for budget in (100, 5_000, 40_000):
        drawn = {name: share * budget for name, share in proportions(UniMax(max_epochs=3), budget, sizes).items()}
        assert math.fsum(drawn.values()) == pytest.approx(budget)
        below = {round(amount, 6) for name, amount in drawn.items() if amount < 3 * sizes[name] - 1e-6}
        assert len(below) == 1
        assert all(amount <= 3 * sizes[name] + 1e-6 for name, amount in drawn.items())


def test_a_small_budget_is_shared_equally():
    equal = Equal().init(SIZES, MixingBudget(100, 90.0))
    assert proportions(UniMax(max_epochs=1), 90) == pytest.approx(equal, abs=1e-12)


def test_a_budget_beyond_all_caps_gives_every_task_as_many_epochs():
    expected = {name: size / 94_100 for name, size in SIZES.items()}
    assert proportions(UniMax(max_epochs=1), 10**7) == pytest.approx(expected, abs=1e-12)


def test_its_own_budget_goes_before_the_runs():
    assert proportions(UniMax(max_epochs=2, budget=30_000), 5) == proportions(UniMax(max_epochs=2), 30_000)


@pytest.mark.parametrize(
    "settings", [{"max_epochs": 0}, {"max_epochs": math.nan}, {"budget": -1}, {"budget": math.inf}]
)
def test_impossible_settings_are_refused(settings: dict[str, float]):
    with pytest.raises(ValueError, match=r"mixing\.(max_epochs|budget) is .*: it must be greater than 0"):
        UniMax(**settings)
