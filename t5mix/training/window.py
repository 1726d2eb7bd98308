"""What happened since the last logging step, and since the first step of the run."""

import math
import time
from collections import deque
from typing import Any

import jax
import numpy as np

from t5mix.data.plan import BatchCounts
from t5mix.errors import T5MixError
from t5mix.metrics import TaskTotals
from t5mix.training.step import StepMetrics

_IN_FLIGHT = 2  # steps dispatched and not yet waited for: enough to keep the devices busy, few enough to bound memory


class Window:
    """Collects the metrics of steps, a little behind the devices so as not to hold them up.

    Args:
        names: the tasks, by task id.
        sizes: their numbers of training examples.
        state: what `state` gave in the run that is resumed; None to begin.
    """

    def __init__(self, names: list[str], sizes: list[int], state: dict[str, Any] | None = None) -> None:
        self._names, self._sizes = names, sizes
        self._pending: deque[tuple[int, StepMetrics, BatchCounts]] = deque()
        if state is None:
            self._open, self.total = TaskTotals.zeros(len(names)), TaskTotals.zeros(len(names))
        else:
            self._open = TaskTotals.from_json(state["open"])
            self.total = TaskTotals.from_json(state["total"])
        self._last: StepMetrics | None = None
        self._started = time.perf_counter()

    def add(self, step: int, metrics: StepMetrics, counts: BatchCounts) -> None:
        """Takes in a step's metrics, still being computed, and those of older steps that are done."""
        self._pending.append((step, metrics, counts))
        while len(self._pending) > _IN_FLIGHT:
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

    def close(self, step: int, weights: np.ndarray) -> dict[str, Any]:
        """Returns the log line of the window that ends at `step`, and opens the next one."""
        self.finish()
        assert self._last is not None
        last, now, window = self._last, time.perf_counter(), self._open
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
                    "tokens": int(window.input_tokens[task] + window.target_tokens[task]),
                    "epochs": float(self.total.examples[task] / self._sizes[task]),
                    "weight": float(weights[task]),
                }
                for task, name in enumerate(self._names)
            },
        }
        self._open, self._started = TaskTotals.zeros(len(self._names)), now
        return line

    def _collect(self) -> None:
        step, metrics, counts = self._pending.popleft()
        self._last = metrics = jax.device_get(metrics)
        sums = metrics.sums
        loss, norm = float(sums.objective), float(metrics.gradient_norm)
        if not (math.isfinite(loss) and math.isfinite(norm)):  # such a gradient spoils the parameters at once
            raise T5MixError(
                f"The loss is {loss} and the gradient's norm {norm} at step {step}. The last checkpoint before it is "
                "good: lower the learning rate or clip gradients (training.clip_norm), and start from it (start_from)."
            )
        for totals in (self._open, self.total):
            totals.add(
                cross_entropy=np.asarray(sums.cross_entropy),
                correct=np.asarray(sums.correct),
                loss_tokens=np.asarray(sums.loss_tokens),
                examples=counts.examples,
                input_tokens=counts.input_tokens,
                target_tokens=counts.target_tokens,
            )


def _number(value: float) -> float | None:
    """Returns a float that JSON can hold: None where there was nothing to average."""
    return float(value) if math.isfinite(value) else None
