"""The search for a learning rate: what is tried, what is chosen, and when the grid grows."""

import math
from collections.abc import Callable

import pytest

from t5mix.sweep.tuning import search


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
    known = {0.1: 1.0, 0.2: 2.0}
    assert search([0.1, 0.2], known.get, 1) == ([0.1, 0.2, 0.4], None)


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
