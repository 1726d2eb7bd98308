import json
import math
from typing import Any

import numpy as np
import pytest

from t5mix.data.packing import BatchCounts
from t5mix.errors import T5MixError
from t5mix.mixing import Fixed
from t5mix.mixing.base import MixingBudget
from t5mix.mixing.controller import MixtureController, initial_state
from t5mix.mixing.task_sizes import TaskSize, TaskSizes
from t5mix.training.metrics_accumulator import MetricsAccumulator
from t5mix.training.step import StepMetrics, StepSums

SIZES = {"a": 10, "b": 40, "c": 5}


def metrics(step: int, objective: float | None = None, norm: float = 0.5) -> StepMetrics:
    cross_entropy = np.asarray([2.0 * step, 1.0, 0.0], np.float32)
    sums = StepSums(
        objective=np.float32(cross_entropy.sum() if objective is None else objective),  # type: ignore[arg-type]
        cross_entropy=cross_entropy,  # type: ignore[arg-type]
        correct=np.asarray([1.0, 0.0, 0.0], np.float32),  # type: ignore[arg-type]
        loss_tokens=np.asarray([4.0, 2.0, 0.0], np.float32),  # type: ignore[arg-type]
    )
    return StepMetrics(sums, np.float32(norm), np.float32(0.1 * step))  # type: ignore[arg-type]


COUNTS = BatchCounts(np.asarray([2, 1, 0]), np.asarray([9, 3, 0]), np.asarray([4, 2, 0]))
WEIGHTS = {"a": 0.5, "b": 0.3, "c": 0.2}


def start(
    state: dict[str, Any] | None = None, mixing: dict[str, Any] | None = None, first_step: int = 0
) -> tuple[MetricsAccumulator, MixtureController]:
    task_sizes = TaskSizes([TaskSize(name, size, 10 * size) for name, size in SIZES.items()])
    mixing = mixing or initial_state(Fixed(task_weights=WEIGHTS), task_sizes, MixingBudget(5, 15.0))
    controller = MixtureController(Fixed(task_weights=WEIGHTS), task_sizes, mixing, lag=3, first_step=first_step)
    return MetricsAccumulator(SIZES, controller, state), controller


def add(run: tuple[MetricsAccumulator, MixtureController], *steps: int) -> None:
    for step in steps:
        run[1].mixture(step - 1)
        run[0].add(step, metrics(step), COUNTS)


def without_clock(line: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in line.items() if key not in ("seconds", "tokens_per_second")}


def test_a_log_line_says_what_the_window_saw():
    run = window, _ = start()
    add(run, 1, 2, 3)
    line = window.close(3)
    assert without_clock(line) == {
        "kind": "train",
        "step": 3,
        "loss": pytest.approx((2 + 4 + 6 + 3) / 18),
        "learning_rate": pytest.approx(0.3),
        "gradient_norm": 0.5,
        "tasks": {
            "a": {
                "loss": 1.0,
                "token_accuracy": 0.25,
                "loss_tokens": 12,
                "examples": 6,
                "expected_examples": 4.5,
                "tokens": 39,
                "epochs": 0.6,
                "proportion": 0.5,
            },
            "b": {
                "loss": 0.5,
                "token_accuracy": 0.0,
                "loss_tokens": 6,
                "examples": 3,
                "expected_examples": pytest.approx(2.7),
                "tokens": 15,
                "epochs": 3 / 40,
                "proportion": 0.3,
            },
            "c": {
                "loss": None,
                "token_accuracy": None,
                "loss_tokens": 0,
                "examples": 0,
                "expected_examples": pytest.approx(1.8),
                "tokens": 0,
                "epochs": 0.0,
                "proportion": 0.2,
            },
        },
    }
    assert line["tokens_per_second"] == pytest.approx(54 / line["seconds"])
    json.dumps(line, allow_nan=False)


def test_the_next_window_starts_empty_and_epochs_go_on():
    run = window, _ = start()
    add(run, 1)
    window.close(1)
    add(run, 2, 3)
    line = window.close(3)
    assert line["tasks"]["a"]["examples"] == 4
    assert line["tasks"]["a"]["epochs"] == pytest.approx(0.6)
    assert line["loss"] == pytest.approx((4 + 6 + 2) / 12)


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 4])
def test_a_restored_window_closes_alike(cut: int):
    whole, first = start(), start()
    add(whole, *range(1, 6))
    add(first, *range(1, cut + 1))
    window, mixing = json.loads(json.dumps([first[0].state(), first[1].state() if cut else None]))
    second = start(window, mixing, cut)
    add(second, *range(cut + 1, 6))
    assert without_clock(second[0].close(5)) == without_clock(whole[0].close(5))
    assert second[0].state() == whole[0].state()


@pytest.mark.parametrize("objective", [math.nan, math.inf])
def test_a_loss_that_is_no_number_raises_and_names_its_step(objective: float):
    run = window, controller = start()
    add(run, 1)
    controller.mixture(1)
    window.add(2, metrics(2, objective), COUNTS)
    add(run, 3)
    with pytest.raises(T5MixError, match=f"loss is {objective} .*at step 2.*training.max_grad_norm"):
        window.finish()


def test_a_gradient_that_is_no_number_raises_before_it_can_be_saved():
    window, controller = start()
    controller.mixture(0)
    window.add(1, metrics(1, norm=math.nan), COUNTS)
    with pytest.raises(T5MixError, match="gradient's norm nan at step 1"):
        window.state()


def test_metrics_are_taken_in_a_little_later():
    run = window, controller = start()
    controller.mixture(0)
    window.add(1, metrics(1, math.nan), COUNTS)  # still on the devices
    add(run, 2)
    with pytest.raises(T5MixError, match="at step 1"):
        add(run, 3)
