"""What a run logs: JSON Lines, TensorBoard, and a progress bar or plain lines."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from t5mix.console.progress import Advance, progress
from t5mix.console.stage import SOON
from t5mix.tracking.metrics_file import EVALUATION, MetricsFile
from t5mix.tracking.tensorboard import TensorBoard
from t5mix.tracking.training_progress import TrainingProgress


class MetricLogger:
    """Logs a run to its metrics file, to TensorBoard, and to whoever watches.

    Args:
        metrics: the JSON Lines file.
        tensorboard: folder of the event files.
        steps: number of steps in all.
        first_step: the step that the run starts or resumes at.
        log_every: period of logging.
    """

    def __init__(self, metrics: Path, tensorboard: Path, *, steps: int, first_step: int, log_every: int) -> None:
        self._steps, self._log_every = steps, log_every
        self._board = TensorBoard(tensorboard)
        self._file = MetricsFile(metrics, first_step)
        self._progress = TrainingProgress(steps, first_step)
        self.advance, self.info = self._progress.advance, self._progress.info
        self.during, self.counting = self._progress.during, self._progress.counting
        self.flush = self._file.flush
        if first_step:
            self.info(f"Continuing after step {first_step} of {steps}.")

    def log_metrics(self, line: Mapping[str, Any]) -> None:
        """Logs the figures of a logging step (`t5mix.training.metrics_accumulator`)."""
        self._file.write(line)
        scalars = {name: line[name] for name in ("loss", "learning_rate", "gradient_norm", "tokens_per_second")}
        for task, values in line["tasks"].items():
            scalars |= {f"{name}/{task}": value for name, value in values.items()}
        self._board.write(line["step"], {name: value for name, value in scalars.items() if value is not None})
        steps = line["step"] % self._log_every or self._log_every
        seconds_left = line["seconds"] / steps * (self._steps - line["step"])
        self._progress.log_metrics(line["step"], line["loss"], line["tokens_per_second"], seconds_left)

    def log_evaluation(self, step: int, seconds: float, tasks: Mapping[str, Mapping[str, float]]) -> None:
        """Logs the figures of the validation splits."""
        self._file.write({"kind": EVALUATION, "step": step, "seconds": seconds, "tasks": tasks})
        self._board.write(
            step, {f"validation_{kind}/{task}": v for task, values in tasks.items() for kind, v in values.items()}
        )

    def close(self) -> None:
        """Closes the files and takes the bar down."""
        for part in (self._progress, self._file, self._board):
            part.close()


class NullMetricLogger:
    """The metric logger of every process but the first: process 0 logs for all of them."""

    def advance(self, step: int) -> None:
        """Shows nothing."""

    def info(self, text: str) -> None:
        """Shows nothing."""

    def during(self, label: str, *, after: float = SOON) -> contextlib.AbstractContextManager[None]:
        """Shows nothing."""
        return contextlib.nullcontext()

    def counting(self, label: str, examples: int) -> contextlib.AbstractContextManager[Advance]:
        """Shows nothing."""
        return progress(None, examples)

    def flush(self) -> None:
        """Has nothing to bring to the disk."""

    def log_metrics(self, line: Mapping[str, Any]) -> None:
        """Writes nothing."""

    def log_evaluation(self, step: int, seconds: float, tasks: Mapping[str, Mapping[str, float]]) -> None:
        """Writes nothing."""

    def close(self) -> None:
        """Has nothing to close."""
