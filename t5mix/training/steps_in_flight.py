"""Steps that the devices are still computing: waited for a little later, so as not to hold them up."""

import math
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import jax

from t5mix.data.packing import BatchCounts
from t5mix.errors import T5MixError
from t5mix.training.config import IN_FLIGHT
from t5mix.training.step import StepMetrics


class FinishedStep(NamedTuple):
    """A step whose metrics have left the devices.

    Attributes:
        step: updates completed with it, from 1.
        metrics: as arrays of the host.
        counts: what each task had in its global batch.
    """

    step: int
    metrics: StepMetrics
    counts: BatchCounts


class StepsInFlight:
    """The steps that were dispatched, in order, until their metrics are there."""

    def __init__(self) -> None:
        self._pending: deque[tuple[int, StepMetrics, BatchCounts]] = deque()

    def add(self, step: int, metrics: StepMetrics, counts: BatchCounts) -> None:
        """Takes in a step that was just dispatched; its metrics may still be computed."""
        self._pending.append((step, metrics, counts))

    def finished(self, remaining: int = IN_FLIGHT) -> Iterator[FinishedStep]:
        """Yields the oldest steps, waiting for each, until no more than `remaining` are left.

        Raises:
            T5MixError: a loss or a gradient is no longer finite.
        """
        while len(self._pending) > remaining:
            step, metrics, counts = self._pending.popleft()
            metrics = jax.device_get(metrics)
            _check_finite(step, metrics)
            yield FinishedStep(step, metrics, counts)


def _check_finite(step: int, metrics: StepMetrics) -> None:
    loss, norm = float(metrics.sums.objective), float(metrics.gradient_norm)
    if not (math.isfinite(loss) and math.isfinite(norm)):  # such a gradient spoils the parameters at once
        raise T5MixError(
            f"The loss is {loss} and the gradient's norm {norm} at step {step}. The last checkpoint before it is "
            "good: lower the learning rate or clip gradients (training.max_grad_norm), and start from it (start_from)."
        )
