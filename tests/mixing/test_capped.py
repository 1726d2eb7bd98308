import math
from typing import Any

import numpy as np
import pytest

from t5mix.mixing import ODM, Capped, Equal, Fixed, Proportional
from t5mix.mixing.base import MixingBudget, TaskFeedback
from t5mix.mixing.capped import water_fill

SIZES = {"tiny": 10, "small": 100, "large": 10_000}


def drawn(counts: dict[str, int]) -> dict[str, TaskFeedback]:
    return {name: TaskFeedback(1.0, 1.0, count, count, 0.3) for name, count in counts.items()}


def test_the_excess_is_spread_in_the_wanted_proportions():
    wanted = {"a": 0.5, "b": 0.3, "c": 0.2}
    assert water_fill(wanted, {"a": 0.1, "b": 1, "c": 1}) == pytest.approx({"a": 0.1, "b": 0.54, "c": 0.36})
    # What b gets of a's excess lifts it above its own cap, so c takes all that is left.
    assert water_fill(wanted, {"a": 0.1, "b": 0.35, "c": 1}) == pytest.approx({"a": 0.1, "b": 0.35, "c": 0.55})
    assert water_fill(wanted, {"a": 1, "b": 1, "c": 1}) == pytest.approx(wanted)


def test_tasks_that_nobody_wants_take_what_is_left_over():
    found = water_fill({"a": 1.0, "b": 0.0, "c": 0.0}, {"a": 0.4, "b": 0.2, "c": 0.6})
    assert found == pytest.approx({"a": 0.4, "b": 0.15, "c": 0.45})


def test_a_cap_that_is_not_reached_changes_nothing():
    budget = MixingBudget(100, 1000.0)
    strategy = Capped(strategy=Proportional(), max_epochs=2)
    assert strategy.proportions(strategy.init(SIZES, budget), 0) == pytest.approx(Proportional().init(SIZES, budget))


def test_the_expected_epochs_stay_below_the_cap():
    strategy = Capped(strategy=Equal(), max_epochs=4)
    proportions = strategy.proportions(strategy.init(SIZES, MixingBudget(100, 3000.0)), 0)
    assert proportions == pytest.approx({"tiny": 40 / 3000, "small": 400 / 3000, "large": 2560 / 3000})


@pytest.mark.parametrize("inner", [Equal(), Fixed(task_weights={"tiny": 5, "small": 3, "large": 2}), ODM()])
def test_no_task_passes_the_cap_in_a_whole_run(inner: Any):
    draw, steps, rows = np.random.default_rng(0), 150, 40
    strategy = Capped(strategy=inner, max_epochs=3)
    state = strategy.init(SIZES, MixingBudget(steps, float(steps * rows)))
    seen = dict.fromkeys(SIZES, 0)
    for step in range(steps):
        proportions = strategy.proportions(state, step)
        batch = dict(zip(SIZES, draw.multinomial(rows, list(proportions.values())).tolist(), strict=True))
        seen = {name: seen[name] + batch[name] for name in SIZES}
        state = strategy.observe(state, drawn({name: count for name, count in batch.items() if count}))
    assert all(seen[name] <= 3 * size + 5 for name, size in SIZES.items()), seen  # a last batch may hold a few more
    assert seen["tiny"] >= 25
    assert seen["small"] >= 260


def test_beyond_all_caps_every_task_is_repeated_alike():
    strategy = Capped(strategy=Equal(), max_epochs=1)
    proportions = strategy.proportions(strategy.init(SIZES, MixingBudget(100, 1e6)), 0)
    assert proportions == pytest.approx({name: size / 10_110 for name, size in SIZES.items()})


def test_after_the_last_example_the_strategy_decides():
    strategy = Capped(strategy=Equal(), max_epochs=1)
    state = strategy.observe(strategy.init(SIZES, MixingBudget(10, 10_110.0)), drawn(SIZES))
    assert math.fsum(strategy.proportions(state, 10).values()) == pytest.approx(1)
