"""The metrics of steps, added up since the last logging step and since the first step of the run."""

import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from t5mix.mixing.controller import StepMixture
from t5mix.tracking.task_totals import TaskTotals
from t5mix.training.steps_in_flight import FinishedStep


class MetricsAccumulator:
    """Adds up the metrics of finished steps, and makes a log line of them.

    Args:
        sizes: the tasks, by task id, and their numbers of training examples.
        state: what `state` gave in the run that is resumed; None to begin.

    Attributes:
        total: sums since the first step of the run.
    """

    def __init__(self, sizes: Mapping[str, int], state: Mapping[str, Any] | None = None) -> None:
        self._sizes = sizes
        if state is None:
            self._since_log, self.total = TaskTotals.zeros(len(sizes)), TaskTotals.zeros(len(sizes))
        else:
            self._since_log = TaskTotals.from_json(state["since_log"])
            self.total = TaskTotals.from_json(state["total"])
        self._learning_rate = self._gradient_norm = math.nan
        self._started = time.perf_counter()

    def add(self, finished: FinishedStep, mixture: StepMixture) -> None:
        """Adds a step.

        Args:
            finished: the step.
            mixture: how its batch was mixed.
        """
        metrics, counts = finished.metrics, finished.counts
        self._learning_rate, self._gradient_norm = float(metrics.learning_rate), float(metrics.gradient_norm)
        for totals in (self._since_log, self.total):
            totals.add(
                cross_entropy=np.asarray(metrics.sums.cross_entropy),
                correct=np.asarray(metrics.sums.correct),
                loss_tokens=np.asarray(metrics.sums.loss_tokens),
                examples=counts.examples,
                expected_examples=mixture.example_proportions * counts.examples.sum(),
                input_tokens=counts.input_tokens,
                target_tokens=counts.target_tokens,
            )

    def state(self) -> dict[str, Any]:
        """Returns the totals, JSON-able, for a checkpoint."""
        return {"since_log": self._since_log.to_json(), "total": self.total.to_json()}

    def log_line(self, step: int, mixture: StepMixture) -> dict[str, Any]:
        """Returns the log line of the steps since the last one, and begins the next.

        Args:
            step: the last step added.
            mixture: how its batch was mixed.
        """
        now, totals = time.perf_counter(), self._since_log
        seconds = now - self._started
        losses, accuracies, tokens = totals.loss(), totals.accuracy(), totals.input_tokens + totals.target_tokens
        line = {
            "kind": "train",
            "step": step,
            "loss": _number(totals.cross_entropy.sum() / max(totals.loss_tokens.sum(), 1)),
            "learning_rate": self._learning_rate,
            "gradient_norm": self._gradient_norm,
            "seconds": seconds,
            "tokens_per_second": float(tokens.sum() / seconds),
            "tasks": {
                name: {
                    "loss": _number(losses[task]),
                    "token_accuracy": _number(accuracies[task]),
                    "loss_tokens": int(totals.loss_tokens[task]),
                    "examples": int(totals.examples[task]),
                    "expected_examples": float(totals.expected_examples[task]),
                    "tokens": int(tokens[task]),
                    "epochs": float(self.total.examples[task] / size),
                    "proportion": float(mixture.example_proportions[task]),
                    **({} if mixture.loss_weights is None else {"loss_weight": float(mixture.loss_weights[task])}),
                }
                for task, (name, size) in enumerate(self._sizes.items())
            },
        }
        self._since_log, self._started = TaskTotals.zeros(len(self._sizes)), now
        return line


def _number(value: float) -> float | None:
    """Returns a float that JSON can hold: None where there was nothing to average."""
    return float(value) if math.isfinite(value) else None
