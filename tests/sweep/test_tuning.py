"""The search for a learning rate: what is tried, what is chosen, and when the grid grows."""

import math
from collections.abc import Callable

import pytest

from t5mix.sweep.spec import Sweep, read_sweep
from t5mix.sweep.tuning import Choice, choose_learning_rate, search


def peak(at: float) -> Callable[[float], float]:
    return lambda rate: -abs(math.log(rate / at))


def test_the_best_inside_the_grid_is_chosen():
    rates, choice = search([0.001, 0.002, 0.004], peak(0.002), 2)
    assert rates == [0.001, 0.002, 0.004]
    assert choice is not None
    assert (choice.learning_rate, choice.extended, choice.at_edge) == (0.002, (), False)


@pytest.mark.parametrize(
    ("at", "extensions", "tried", "at_edge"),
    [
        (0.008, 2, [0.001, 0.002, 0.004, 0.008, 0.016], False),
        (0.1, 2, [0.001, 0.002, 0.004, 0.008, 0.016], True),
        (0.0001, 1, [0.0005, 0.001, 0.002, 0.004], True),
        (0.1, 0, [0.001, 0.002, 0.004], True),
    ],
)
def test_a_best_at_an_edge_gets_a_neighbour_beyond(at: float, extensions: int, tried: list[float], at_edge: bool):
    rates, choice = search([0.001, 0.002, 0.004], peak(at), extensions)
    assert rates == pytest.approx(tried)
    assert choice is not None
    assert choice.at_edge == at_edge
    assert choice.learning_rate == max(tried, key=peak(at))


def test_nothing_is_chosen_while_a_score_is_missing():
    assert search([0.1, 0.2], lambda rate: None if rate == 0.2 else 1.0, 0) == ([0.1, 0.2], None)
    scores = {0.1: 1.0, 0.2: 2.0}
    assert search([0.1, 0.2], scores.get, 1) == ([0.1, 0.2, 0.4], None)


def test_of_equals_the_smaller_is_chosen():
    _, choice = search([0.1, 0.2, 0.4], lambda rate: 1.0 if rate > 0.1 else 0.0, 0)
    assert choice is not None
    assert choice.learning_rate == 0.2


def test_what_failed_is_never_chosen():
    _, choice = search([0.1, 0.2, 0.4], lambda rate: -math.inf if rate > 0.1 else -5.0, 0)
    assert choice is not None
    assert choice.learning_rate == 0.1
    _, choice = search([0.1, 0.2], lambda rate: -math.inf, 2)
    assert choice is not None
    assert choice.learning_rate is None


# The rule for trials ----------------------------------------------------------------------------------


def tuned(per_task: bool) -> Sweep:
    method = {"per_task_runs": True, "runs": [["mixture=[{task}]"]]} if per_task else {}
    tuning = {"learning_rates": [0.2, 0.1, 0.4], "seeds": [0, 1], "extensions": 0}
    return read_sweep({"name": "s", "config": "c", "methods": {"a": method}, "tasks": ["x", "y"], "tuning": tuning})


def choose(scores: dict[tuple[float, int, str | None], float], per_task: bool = False) -> Choice | None:
    sweep = tuned(per_task)
    assert sweep.tuning is not None
    tried, choice = choose_learning_rate(sweep.variants["a"], sweep.tuning, lambda *key: scores.get(key))
    assert tried == [0.1, 0.2, 0.4]
    return choice


def test_the_mean_over_seeds_decides():
    scores = {(rate, seed, None): 10 * rate + seed * (rate == 0.2) for rate in (0.1, 0.2, 0.4) for seed in (0, 1)}
    choice = choose(scores)
    assert choice is not None
    assert (choice.learning_rate, choice.scores) == (0.4, {0.1: 1.0, 0.2: 2.5, 0.4: 4.0})
    del scores[0.1, 1, None]
    assert choose(scores) is None


def test_a_rate_with_a_failed_trial_has_failed():
    scores = {(rate, seed, None): 10 * rate for rate in (0.1, 0.2, 0.4) for seed in (0, 1)}
    choice = choose({**scores, (0.4, 1, None): -math.inf})
    assert choice is not None
    assert (choice.learning_rate, choice.scores[0.4]) == (0.2, -math.inf)


def test_tasks_with_trials_of_their_own_are_averaged():
    scores = {
        (rate, seed, task): value
        for rate, values in {0.1: (1.0, 4.0), 0.2: (3.0, 3.0), 0.4: (5.0, 0.0)}.items()
        for task, value in zip(("x", "y"), values, strict=True)
        for seed in (0, 1)
    }
    choice = choose(scores, per_task=True)
    assert choice is not None
    assert (choice.learning_rate, choice.scores) == (0.2, {0.1: 2.5, 0.2: 3.0, 0.4: 2.5})
    del scores[0.4, 0, "y"]
    assert choose(scores, per_task=True) is None
