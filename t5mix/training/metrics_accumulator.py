"""What happened since the last logging step, and since the first step of the run."""

import math
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from t5mix.data.packing import BatchCounts
from t5mix.errors import T5MixError
from t5mix.mixing.controller import MixtureController
from t5mix.tracking.task_totals import TaskTotals
from t5mix.training.config import IN_FLIGHT
from t5mix.training.step import StepMetrics


class MetricsAccumulator:
    """Collects the metrics of steps, a little behind the devices so as not to hold them up.

    Args:
        sizes: the tasks, by task id, and their numbers of training examples.
        controller: is told of each step; what it says of a step is logged.
        state: what `state` gave in the run that is resumed; None to begin.
    """

    def __init__(
        self, sizes: Mapping[str, int], controller: MixtureController, state: dict[str, Any] | None = None
    ) -> None:
        self._sizes, self._mixer = sizes, controller
        self._pending: deque[tuple[int, StepMetrics, BatchCounts]] = deque()
        if state is None:
            self._open, self.total = TaskTotals.zeros(len(sizes)), TaskTotals.zeros(len(sizes))
        else:
            self._open = TaskTotals.from_json(state["open"])
            self.total = TaskTotals.from_json(state["total"])
        self._last: StepMetrics | None = None
        self._started = time.perf_counter()

    def add(self, step: int, metrics: StepMetrics, counts: BatchCounts) -> None:
        """Takes in a step's metrics, still being computed, and those of older steps that are done."""
        self._pending.append((step, metrics, counts))
        while len(self._pending) > IN_FLIGHT:
            self._collect()

    def finish(self) -> None:
        """Waits for all steps so far.

        Raises:
            T5MixError: a loss or a gradient is no longer finite.
        """
        while self._pending:
            self._collect()

    def state(self) -> dict[str, Any]:
        """Returns the totals, JSON-able, for a checkpoint."""
        self.finish()
        return {"open": self._open.to_json(), "total": self.total.to_json()}

    def close(self, step: int) -> dict[str, Any]:
        """Returns the log line of the window that ends at `step`, and opens the next one."""
        self.finish()
        assert self._last is not None
        last, now, window = self._last, time.perf_counter(), self._open
        mixture = self._mixer.mixture_of(step - 1)
        seconds = now - self._started
        tokens = window.input_tokens.sum() + window.target_tokens.sum()
        line = {
            "kind": "train",
            "step": step,
            "loss": _number(window.cross_entropy.sum() / max(window.loss_tokens.sum(), 1)),
            "learning_rate": float(last.learning_rate),
            "gradient_norm": float(last.gradient_norm),
            "seconds": seconds,
            "tokens_per_second": float(tokens / seconds),
            "tasks": {
                name: {
                    "loss": _number(window.loss()[task]),
                    "token_accuracy": _number(window.accuracy()[task]),
                    "loss_tokens": int(window.loss_tokens[task]),
                    "examples": int(window.examples[task]),
                    "expected_examples": float(window.expected_examples[task]),
                    "tokens": int(window.input_tokens[task] + window.target_tokens[task]),
                    "epochs": float(self.total.examples[task] / size),
                    "proportion": float(mixture.example_proportions[task]),
                    **({} if mixture.loss_weights is None else {"loss_weight": float(mixture.loss_weights[task])}),
                }
                for task, (name, size) in enumerate(self._sizes.items())
            },
        }
        self._open, self._started = TaskTotals.zeros(len(self._sizes)), now
        return line

    def _collect(self) -> None:
        step, metrics, counts = self._pending.popleft()
        self._last = metrics = jax.device_get(metrics)
        sums = metrics.sums
        loss, norm = float(sums.objective), float(metrics.gradient_norm)
        if not (math.isfinite(loss) and math.isfinite(norm)):  # such a gradient spoils the parameters at once
            raise T5MixError(
                f"The loss is {loss} and the gradient's norm {norm} at step {step}. The last checkpoint before it is "
                "good: lower the learning rate or clip gradients (training.max_grad_norm), and start from it "
                "(start_from)."
            )
        cross_entropy, loss_tokens = np.asarray(sums.cross_entropy), np.asarray(sums.loss_tokens)
        self._mixer.observe(
            step - 1,
            loss_sums=cross_entropy,
            loss_tokens=loss_tokens,
            examples=counts.examples,
            tokens=counts.input_tokens + counts.target_tokens,
            excess_sums=None if sums.excess is None else np.asarray(sums.excess),
        )
        for totals in (self._open, self.total):
            totals.add(
                cross_entropy=cross_entropy,
                correct=np.asarray(sums.correct),
                loss_tokens=loss_tokens,
                examples=counts.examples,
                expected_examples=self._mixer.mixture_of(step - 1).example_proportions * counts.examples.sum(),
                input_tokens=counts.input_tokens,
                target_tokens=counts.target_tokens,
            )


def _number(value: float) -> float | None:
    """Returns a float that JSON can hold: None where there was nothing to average."""
    return float(value) if math.isfinite(value) else None
