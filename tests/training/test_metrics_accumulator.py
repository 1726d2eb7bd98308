import json
from typing import Any

import numpy as np
import pytest

from t5mix.data.packing import BatchCounts
from t5mix.mixing import Fixed
from t5mix.mixing.base import MixingBudget
from t5mix.mixing.controller import MixtureController, initial_state
from t5mix.mixing.task_sizes import TaskSize, TaskSizes
from t5mix.training.metrics_accumulator import MetricsAccumulator
from t5mix.training.step import StepMetrics, StepSums
from t5mix.training.steps_in_flight import FinishedStep

SIZES = {"a": 10, "b": 40, "c": 5}


def metrics(step: int) -> StepMetrics:
    cross_entropy = np.asarray([2.0 * step, 1.0, 0.0], np.float32)
    sums = StepSums(
        objective=np.float32(cross_entropy.sum()),  # type: ignore[arg-type]
        cross_entropy=cross_entropy,  # type: ignore[arg-type]
        correct=np.asarray([1.0, 0.0, 0.0], np.float32),  # type: ignore[arg-type]
        loss_tokens=np.asarray([4.0, 2.0, 0.0], np.float32),  # type: ignore[arg-type]
    )
    return StepMetrics(sums, np.float32(0.5), np.float32(0.1 * step))  # type: ignore[arg-type]


COUNTS = BatchCounts(np.asarray([2, 1, 0]), np.asarray([9, 3, 0]), np.asarray([4, 2, 0]))
WEIGHTS = {"a": 0.5, "b": 0.3, "c": 0.2}


class Run:
    """What a trainer does with the metrics of its steps."""

    def __init__(self, state: Any = None, mixing: dict[str, Any] | None = None, first_step: int = 0) -> None:
        strategy = Fixed(task_weights=WEIGHTS)
        task_sizes = TaskSizes([TaskSize(name, size, 10 * size) for name, size in SIZES.items()])
        mixing = mixing or initial_state(strategy, task_sizes, MixingBudget(5, 15.0))
        self.controller = MixtureController(strategy, task_sizes, mixing, lag=3, first_step=first_step)
        self.accumulator = MetricsAccumulator(SIZES, state)

    def add(self, *steps: int) -> None:
        for step in steps:
            mixture, sums = self.controller.mixture(step - 1), metrics(step).sums
            self.controller.observe(
                step - 1,
                loss_sums=np.asarray(sums.cross_entropy),
                loss_tokens=np.asarray(sums.loss_tokens),
                examples=COUNTS.examples,
                tokens=COUNTS.input_tokens + COUNTS.target_tokens,
            )
            self.accumulator.add(FinishedStep(step, metrics(step), COUNTS), mixture)

    def log_line(self, step: int) -> dict[str, Any]:
        return self.accumulator.log_line(step, self.controller.mixture_of(step - 1))


def without_clock(line: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in line.items() if key not in ("seconds", "tokens_per_second")}


def test_a_log_line_sums_the_steps_since_the_last_one():
    run = Run()
    run.add(1, 2, 3)
    line = run.log_line(3)
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


def test_the_next_line_starts_from_nothing_and_epochs_go_on():
    run = Run()
    run.add(1)
    run.log_line(1)
    run.add(2, 3)
    line = run.log_line(3)
    assert line["tasks"]["a"]["examples"] == 4
    assert line["tasks"]["a"]["epochs"] == pytest.approx(0.6)
    assert line["loss"] == pytest.approx((4 + 6 + 2) / 12)


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 4])
def test_a_restored_accumulator_logs_alike(cut: int):
    whole, first = Run(), Run()
    whole.add(*range(1, 6))
    first.add(*range(1, cut + 1))
    accumulated, mixing = json.loads(json.dumps([first.accumulator.state(), first.controller.state() if cut else None]))
    second = Run(accumulated, mixing, cut)
    second.add(*range(cut + 1, 6))
    assert without_clock(second.log_line(5)) == without_clock(whole.log_line(5))
    assert second.accumulator.state() == whole.accumulator.state()
