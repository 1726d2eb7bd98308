import json
import math
from typing import Any

import numpy as np
import pytest

from t5mix.data.plan import BatchCounts
from t5mix.errors import T5MixError
from t5mix.training.step import StepMetrics, StepSums
from t5mix.training.window import Window

NAMES, SIZES = ["a", "b", "c"], [10, 40, 5]


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
WEIGHTS = np.asarray([0.5, 0.3, 0.2])


def add(window: Window, *steps: int) -> None:
    for step in steps:
        window.add(step, metrics(step), COUNTS)


def without_clock(line: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in line.items() if key not in ("seconds", "tokens_per_second")}


def test_a_log_line_says_what_the_window_saw():
    window = Window(NAMES, SIZES)
    add(window, 1, 2, 3)
    line = window.close(3, WEIGHTS)
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
                "tokens": 39,
                "epochs": 0.6,
                "weight": 0.5,
            },
            "b": {
                "loss": 0.5,
                "token_accuracy": 0.0,
                "loss_tokens": 6,
                "examples": 3,
                "tokens": 15,
                "epochs": 3 / 40,
                "weight": 0.3,
            },
            "c": {
                "loss": None,
                "token_accuracy": None,
                "loss_tokens": 0,
                "examples": 0,
                "tokens": 0,
                "epochs": 0.0,
                "weight": 0.2,
            },
        },
    }
    assert line["tokens_per_second"] == pytest.approx(54 / line["seconds"])
    json.dumps(line, allow_nan=False)


def test_the_next_window_starts_empty_and_epochs_go_on():
    window = Window(NAMES, SIZES)
    add(window, 1)
    window.close(1, WEIGHTS)
    add(window, 2, 3)
    line = window.close(3, WEIGHTS)
    assert line["tasks"]["a"]["examples"] == 4
    assert line["tasks"]["a"]["epochs"] == pytest.approx(0.6)
    assert line["loss"] == pytest.approx((4 + 6 + 2) / 12)


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 4])
def test_a_restored_window_closes_alike(cut: int):
    whole, first = Window(NAMES, SIZES), Window(NAMES, SIZES)
    add(whole, *range(1, 6))
    add(first, *range(1, cut + 1))
    second = Window(NAMES, SIZES, json.loads(json.dumps(first.state())))
    add(second, *range(cut + 1, 6))
    assert without_clock(second.close(5, WEIGHTS)) == without_clock(whole.close(5, WEIGHTS))
    assert second.state() == whole.state()


@pytest.mark.parametrize("objective", [math.nan, math.inf])
def test_a_loss_that_is_no_number_raises_and_names_its_step(objective: float):
    window = Window(NAMES, SIZES)
    add(window, 1)
    window.add(2, metrics(2, objective), COUNTS)
    add(window, 3)
    with pytest.raises(T5MixError, match=f"loss is {objective} .*at step 2.*training.clip_norm"):
        window.finish()


def test_a_gradient_that_is_no_number_raises_before_it_can_be_saved():
    window = Window(NAMES, SIZES)
    window.add(1, metrics(1, norm=math.nan), COUNTS)
    with pytest.raises(T5MixError, match="gradient's norm nan at step 1"):
        window.state()


def test_metrics_are_taken_in_a_little_later():
    window = Window(NAMES, SIZES)
    window.add(1, metrics(1, math.nan), COUNTS)  # still on the devices
    add(window, 2)
    with pytest.raises(T5MixError, match="at step 1"):
        add(window, 3)
