import math

import numpy as np
import pytest

from t5mix.data.packing import BatchCounts
from t5mix.errors import T5MixError
from t5mix.training.config import IN_FLIGHT
from t5mix.training.step import StepMetrics, StepSums
from t5mix.training.steps_in_flight import StepsInFlight

COUNTS = BatchCounts(np.asarray([2]), np.asarray([9]), np.asarray([4]))


def metrics(objective: float = 3.0, norm: float = 0.5) -> StepMetrics:
    nothing = np.zeros(1, np.float32)
    sums = StepSums(np.float32(objective), nothing, nothing, nothing)  # type: ignore[arg-type]
    return StepMetrics(sums, np.float32(norm), np.float32(0.1))  # type: ignore[arg-type]


def test_the_latest_steps_stay_with_the_devices_until_they_are_waited_for():
    steps = StepsInFlight()
    for step in range(1, 6):
        steps.add(step, metrics(), COUNTS)
    assert [finished.step for finished in steps.finished()] == list(range(1, 6 - IN_FLIGHT))
    assert [finished.step for finished in steps.finished(remaining=0)] == [4, 5]
    assert list(steps.finished(remaining=0)) == []


@pytest.mark.parametrize("objective", [math.nan, math.inf])
def test_a_loss_that_is_no_number_raises_and_names_its_step(objective: float):
    steps = StepsInFlight()
    for step, value in enumerate((1.0, objective, 1.0), start=1):
        steps.add(step, metrics(value), COUNTS)
    with pytest.raises(T5MixError, match=f"loss is {objective} .*at step 2.*training.max_grad_norm"):
        list(steps.finished(remaining=0))


def test_a_gradient_that_is_no_number_raises_before_it_can_be_saved():
    steps = StepsInFlight()
    steps.add(1, metrics(norm=math.nan), COUNTS)
    with pytest.raises(T5MixError, match="gradient's norm nan at step 1"):
        list(steps.finished(remaining=0))


def test_metrics_are_taken_in_a_little_later():
    steps = StepsInFlight()
    for step, value in enumerate((math.nan, 1.0), start=1):
        steps.add(step, metrics(value), COUNTS)
        assert list(steps.finished()) == []  # still on the devices
    steps.add(3, metrics(), COUNTS)
    with pytest.raises(T5MixError, match="at step 1"):
        list(steps.finished())
