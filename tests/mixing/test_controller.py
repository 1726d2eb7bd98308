import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from t5mix.configurable import configurable
from t5mix.errors import T5MixError
from t5mix.mixing import ODM, Equal, MixingStrategy
from t5mix.mixing.base import MixingBudget, TaskFeedback
from t5mix.mixing.controller import MixtureController, initial_state
from t5mix.mixing.task_sizes import TaskSize, TaskSizes

CENSUS = TaskSizes([TaskSize("a", 10, 100), TaskSize("b", 30, 300)])
BUDGET = MixingBudget(50, 500.0)
LAG = 4


@configurable
class Echo(MixingStrategy):
    """Weights that say how many steps were observed, and what the last one was."""

    def init(self, sizes: Mapping[str, int], budget: MixingBudget) -> Any:
        return [0, 0.0]

    def proportions(self, state: Any, step: int) -> dict[str, float]:
        share = 1 / (2 + state[0])
        return {"a": share, "b": 1 - share}

    def observe(self, state: Any, feedback: Mapping[str, TaskFeedback]) -> Any:
        return [state[0] + 1, feedback["a"].loss_sum]


def make(
    strategy: MixingStrategy, state: Any = None, first_step: int = 0, dump: Path | None = None
) -> MixtureController:
    state = state or initial_state(strategy, CENSUS, BUDGET)
    return MixtureController(strategy, CENSUS, state, lag=LAG, first_step=first_step, dump=dump)


def observe(controller: MixtureController, step: int) -> None:
    losses = np.asarray([1.0 + step, 2.0 + step % 3])
    ones = np.ones(2)
    controller.observe(step, loss_sums=losses, loss_tokens=ones, examples=ones, tokens=10 * ones)


def test_the_mix_of_a_step_follows_from_what_happened_up_to_the_lag_before_it():
    controller = make(Echo())
    for step in range(20):
        mixture = controller.mixture(step)
        seen = max(step - LAG + 1, 0)
        assert mixture.state == [seen, float(seen)]
        assert mixture.example_proportions.tolist() == pytest.approx([1 / (2 + seen), 1 - 1 / (2 + seen)])
        observe(controller, step)


def test_it_waits_for_feedback_and_for_no_more_than_the_lag_says():
    controller = make(Echo())
    for step in range(LAG):
        controller.mixture(step)
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(controller.mixture(LAG)))
    thread.start()
    thread.join(0.05)
    assert thread.is_alive()
    observe(controller, 0)
    thread.join(5)
    assert found[0].state == [1, 1.0]


@pytest.mark.parametrize("strategy", [Echo(), ODM(), Equal()])
@pytest.mark.parametrize("cut", [1, LAG, LAG + 1, 13])
def test_a_resumed_mixer_goes_on_alike(strategy: Any, cut: int):
    whole, first = make(strategy), make(strategy)
    expected = []
    for step in range(20):
        expected.append(dict(whole.mixture(step).proportions))
        observe(whole, step)
    for step in range(cut):
        first.mixture(step)
        observe(first, step)
        if step + 3 < cut:  # the thread that makes batches runs ahead, and a checkpoint must not see it
            continue
    second = make(strategy, json.loads(json.dumps(first.state())), cut)
    for step in range(cut, 20):
        assert dict(second.mixture(step).proportions) == expected[step]
        observe(second, step)
    assert second.state() == whole.state()


def test_a_checkpoint_does_not_see_how_far_batches_were_made_ahead():
    ahead, behind = make(Echo()), make(Echo())
    for step in range(10):
        behind.mixture(step)
        observe(behind, step)
    made = 0
    for step in range(10):
        while made <= step + 2:
            ahead.mixture(made)
            made += 1
        observe(ahead, step)
    assert ahead.state() == behind.state()


def test_closing_wakes_who_waits():
    controller, errors = make(Echo()), []

    def ask() -> None:
        try:
            for step in range(LAG + 1):
                controller.mixture(step)
        except InterruptedError as error:
            errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    controller.close()
    thread.join(5)
    assert len(errors) == 1


@pytest.mark.parametrize(
    ("proportions", "problem"),
    [
        ({"a": float("nan"), "b": 1.0}, r"it gives \{'a': nan\}"),
        ({"a": -0.5, "b": 1.5}, r"it gives \{'a': -0.5\}"),
        ({"a": 0.5, "b": 0.6}, "they sum to 1.1"),
        ({"a": 1.0}, "it weighs a and the tasks are a, b"),
        ({}, "it weighs nothing"),
    ],
)
def test_what_is_no_proportion_stops_with_the_state_dumped(tmp_path: Path, proportions: Any, problem: str):
    @configurable
    class Broken(Echo):
        def proportions(self, state: Any, step: int) -> dict[str, float]:
            return proportions if step == 2 else {"a": 0.5, "b": 0.5}

    controller = make(Broken(), dump=tmp_path / "mixing_state.json")
    for step in range(2):
        controller.mixture(step)
        observe(controller, step)
    with pytest.raises(T5MixError, match=problem) as caught:
        controller.mixture(2)
    assert "step 2" in str(caught.value)
    dumped = json.loads((tmp_path / "mixing_state.json").read_text())
    assert dumped["step"] == 2
    assert dumped["state"] == [0, 0.0]
    assert str(tmp_path / "mixing_state.json") in str(caught.value)
