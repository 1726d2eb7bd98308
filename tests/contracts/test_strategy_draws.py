"""What is drawn under every strategy: as often as it says, and independently from draw to draw."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from t5mix.data.stream import MixedStream, TaskData
from t5mix.data.token_store import TokenStore
from t5mix.mixing.base import MixingBudget
from t5mix.mixing.controller import MixtureController, initial_state
from t5mix.mixing.task_sizes import TaskSize, TaskSizes

SIZES = {"a": 300, "b": 5_000, "c": 900, "d": 40_000}
STEPS, PER_STEP = 200, 500  # 100,000 draws


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, tiny: Any) -> TokenStore:
    return tiny.store_of_lengths(tmp_path_factory.mktemp("draws") / "store", [(2, 1)] * 2_000)


def drawn(strategy: Any, store: TokenStore, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws as a run does, with losses that differ from task to task and fall.

    Returns:
        The task of each draw, [K]; and the proportions in force at each, [K, N].
    """
    task_sizes = TaskSizes([TaskSize(name, size, 3 * size) for name, size in SIZES.items()])
    budget = MixingBudget(STEPS, float(STEPS * PER_STEP))
    controller = MixtureController(strategy, task_sizes, initial_state(strategy, task_sizes, budget), lag=8)
    stream = MixedStream([TaskData(name, lambda epoch: store) for name in SIZES], seed)
    tasks, proportions = [], []
    for step in range(STEPS):
        mixture = controller.mixture(step)
        stream.set_proportions(mixture.example_proportions)
        tasks.append(stream.peek(PER_STEP).tasks)
        stream.advance(PER_STEP)
        proportions.append(np.repeat(mixture.example_proportions[None], PER_STEP, axis=0))
        counts = np.bincount(tasks[-1], minlength=len(SIZES))
        losses = counts * np.asarray([3.0, 1.0, 2.0, 0.5]) * (0.5 + math.exp(-step / 50))
        controller.observe(
            step, loss_sums=losses, loss_tokens=counts, examples=counts, tokens=3 * counts, excess_sums=losses / 4
        )
    return np.concatenate(tasks), np.concatenate(proportions)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_draws_follow_the_proportions_and_are_independent(make: Any, store: TokenStore, seed: int):
    """Chi-square, runs and serial-correlation tests at the 0.1 % level over 100,000 draws."""
    strategy = make(SIZES)
    assert set(strategy.named_tasks) in (set(), set(SIZES))
    tasks, proportions = drawn(strategy, store, seed)
    expected = proportions.sum(axis=0)
    realised = np.bincount(tasks, minlength=len(SIZES))
    assert realised.sum() == STEPS * PER_STEP
    # Proportions that change make the counts less scattered than one multinomial's, so the test is no stricter for it.
    assert stats.chisquare(realised, expected).pvalue > 0.001

    # How far each draw's most likely task is above its proportion, whatever that was.
    top = int(expected.argmax())
    open_ = proportions[:, top] < 1  # a phase may leave no choice
    share, hits = proportions[open_, top], tasks[open_] == top
    residuals = (hits - share) / np.sqrt(share * (1 - share))
    correlations = [np.mean(residuals[lag:] * residuals[:-lag]) for lag in (1, 2, 3)]
    assert stats.chi2.sf(len(hits) * np.sum(np.square(correlations)), df=3) > 0.001
    assert runs_test(hits) > 0.001 or np.ptp(share) > 0


def runs_test(values: np.ndarray) -> float:
    """Wald and Wolfowitz: the probability of a number of runs at least as unusual."""
    ones, zeros = np.count_nonzero(values), np.count_nonzero(~values)
    runs = 1 + np.count_nonzero(values[1:] != values[:-1])
    mean = 2 * ones * zeros / (ones + zeros) + 1
    variance = (mean - 1) * (mean - 2) / (ones + zeros - 1)
    return float(2 * stats.norm.sf(abs(runs - mean) / math.sqrt(variance)))
