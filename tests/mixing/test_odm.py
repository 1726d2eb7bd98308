import math
from typing import Any

import pytest

from t5mix.mixing import ODM, Equal, Fixed, PriorODM, Proportional
from t5mix.mixing.base import MixingBudget, TaskFeedback

SIZES = {"a": 100, "b": 300}
BUDGET = MixingBudget(1000, 5000.0)


def feedback(**losses: tuple[float, float]) -> dict[str, TaskFeedback]:
    """Mean loss and proportion in force of each task."""
    return {name: TaskFeedback(10 * loss, 10.0, 5, 5, proportion) for name, (loss, proportion) in losses.items()}


def test_odm_matches_the_paper_by_hand():
    strategy = ODM(smoothing=0.9, warmup=0.0)
    state = strategy.init(SIZES, BUDGET)
    assert strategy.proportions(state, 0) == pytest.approx({"a": 0.5, "b": 0.5})
    state = strategy.observe(state, feedback(a=(2.0, 0.5), b=(1.0, 0.5)))
    rewards = {"a": 0.1 * 2.0 / 0.5, "b": 0.1 * 1.0 / 0.5}
    assert state["rewards"] == pytest.approx(rewards)
    state = strategy.observe(state, feedback(a=(4.0, 0.25)))  # b was not drawn and keeps its reward
    rewards["a"] = 0.9 * rewards["a"] + 0.1 * 4.0 / 0.25
    assert state["rewards"] == pytest.approx(rewards)
    before, now = (min(0.5, math.sqrt(math.log(2) / (2 * turn))) for turn in (2, 3))
    raised = {name: math.exp(before * reward) for name, reward in rewards.items()}
    expected = {name: (1 - 2 * now) * value / sum(raised.values()) + now for name, value in raised.items()}
    assert strategy.proportions(state, 2) == pytest.approx(expected, abs=1e-12)
    assert expected["a"] > expected["b"]


def test_odm_begins_with_the_sizes():
    strategy = ODM(warmup=0.01)
    state = strategy.observe(strategy.init(SIZES, BUDGET), feedback(a=(9.0, 0.25)))
    assert strategy.proportions(state, 9) == {"a": 0.25, "b": 0.75}
    assert strategy.proportions(state, 10) != {"a": 0.25, "b": 0.75}


def test_odm_as_published_drifts_to_equal_and_the_prior_form_does_not():
    published, around = ODM(warmup=0.0), PriorODM(prior=Proportional(), eta=0.5)
    states = [strategy.init(SIZES, BUDGET) for strategy in (published, around)]
    for _ in range(20_000):
        proportions = [s.proportions(state, 10**6) for s, state in zip((published, around), states, strict=True)]
        states = [
            strategy.observe(state, feedback(a=(0.2, now["a"]), b=(2.0, now["b"])))
            for strategy, state, now in zip((published, around), states, proportions, strict=True)
        ]
    assert published.proportions(states[0], 10**6)["b"] == pytest.approx(0.5, abs=0.03)
    # One standard deviation below and above the mean: 1/4 exp(-1/2) against 3/4 exp(1/2).
    assert around.proportions(states[1], 10**6)["b"] == pytest.approx(3 * math.e / (3 * math.e + 1), abs=1e-9)


def test_huge_rewards_do_not_overflow():
    strategy = ODM(warmup=0.0)
    state = strategy.observe(strategy.init(SIZES, BUDGET), feedback(a=(1e6, 1e-6), b=(1.0, 1.0)))
    assert math.fsum(strategy.proportions(state, 1).values()) == pytest.approx(1)


@pytest.mark.parametrize("losses", [{}, {"a": 1.0}, {"a": 1.0, "b": 1.0}])
def test_without_a_difference_in_losses_the_prior_holds(losses: dict[str, float]):
    strategy = PriorODM(prior=Fixed(task_weights={"a": 3, "b": 1}), eta=2.0)
    state = strategy.observe(strategy.init(SIZES, BUDGET), feedback(**{n: (loss, 0.5) for n, loss in losses.items()}))
    assert strategy.proportions(state, 1) == pytest.approx({"a": 0.75, "b": 0.25})


def test_a_task_not_seen_yet_keeps_its_share_of_the_prior_against_the_mean():
    strategy = PriorODM(prior=Equal(), eta=1.0)
    state = strategy.init({"a": 1, "b": 1, "c": 1}, BUDGET)
    state = strategy.observe(state, feedback(a=(1.0, 0.3), b=(3.0, 0.3)))
    raised = {"a": math.exp(-1), "b": math.e, "c": 1.0}
    expected = {name: value / sum(raised.values()) for name, value in raised.items()}
    assert strategy.proportions(state, 1) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ODM(smoothing=1.0), "mixing.smoothing is 1.0"),
        (lambda: ODM(warmup=2.0), "mixing.warmup is 2.0"),
        (lambda: PriorODM(eta=-1.0), "mixing.eta is -1.0"),
        (lambda: PriorODM(eta=math.nan), "mixing.eta is nan"),
    ],
)
def test_impossible_settings_are_refused(make: Any, message: str):
    with pytest.raises(ValueError, match=message):
        make()
