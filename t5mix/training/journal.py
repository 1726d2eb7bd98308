"""What a run tells while it goes: JSON Lines, TensorBoard, a progress bar or plain lines."""

import json
import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Journal:
    """All that a run tells: to its metrics file, to TensorBoard, and to whoever watches.

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
        self._display = Display(steps, first_step)
        self.advance, self.say, self.flush = self._display.advance, self._display.say, self._file.flush
        if first_step:
            self.say(f"Continuing after step {first_step} of {steps}.")

    def log(self, line: Mapping[str, Any]) -> None:
        """Tells the figures of a logging step (`t5mix.training.window.Window.close`)."""
        self._file.write(line)
        scalars = {name: line[name] for name in ("loss", "learning_rate", "gradient_norm", "tokens_per_second")}
        for task, values in line["tasks"].items():
            scalars |= {f"{name}/{task}": value for name, value in values.items()}
        self._board.write(line["step"], {name: value for name, value in scalars.items() if value is not None})
        steps = line["step"] % self._log_every or self._log_every
        seconds_left = line["seconds"] / steps * (self._steps - line["step"])
        self._display.log(line["step"], line["loss"], line["tokens_per_second"], seconds_left)

    def evaluation(self, step: int, seconds: float, tasks: Mapping[str, Mapping[str, float]]) -> None:
        """Tells the figures of the validation splits."""
        self._file.write({"kind": "evaluation", "step": step, "seconds": seconds, "tasks": tasks})
        self._board.write(
            step, {f"validation_{kind}/{task}": v for task, values in tasks.items() for kind, v in values.items()}
        )

    def close(self) -> None:
        """Closes the files and takes the bar down."""
        for part in (self._display, self._file, self._board):
            part.close()


class SilentJournal:
    """What a process other than the first has for a journal: process 0 tells what all of them do."""

    def advance(self, step: int) -> None:
        """Shows nothing."""

    def say(self, text: str) -> None:
        """Shows nothing."""

    def flush(self) -> None:
        """Has nothing to bring to the disk."""

    def log(self, line: Mapping[str, Any]) -> None:
        """Writes nothing."""

    def evaluation(self, step: int, seconds: float, tasks: Mapping[str, Mapping[str, float]]) -> None:
        """Writes nothing."""

    def close(self) -> None:
        """Has nothing to close."""


class MetricsFile:
    """A JSON Lines file with one line for each logging step or evaluation.

    Args:
        path: the file. Lines of steps after `first_step` are dropped: a run that was killed after logging them is
            about to take those steps again.
        first_step: the step that the run starts or resumes at.
    """

    def __init__(self, path: Path, first_step: int) -> None:
        kept = [line for line in read_lines(path) if line["step"] <= first_step]
        draft = path.with_suffix(".tmp")
        draft.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
        draft.replace(path)
        self._file: TextIO = open(path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115 - closed by `close`

    def write(self, line: Mapping[str, Any]) -> None:
        """Appends one line."""
        self._file.write(json.dumps(line) + "\n")

    def flush(self) -> None:
        """Brings all lines to the disk; called before each checkpoint, so that none of them is ever missing."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the lines of a metrics file; a last line cut short by a kill is left out."""
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            return


def read_last(path: Path, kind: str) -> dict[str, Any] | None:
    """Returns the last line of a kind in a metrics file; None if there is none."""
    last = None
    for line in read_lines(path):
        if line["kind"] == kind:
            last = line
    return last


class TensorBoard:
    """Scalars for TensorBoard. Steps taken again after a kill are in a file of their own, which TensorBoard prefers.

    Written with TensorBoard's own record writer: the metric writers of clu and TensorFlow would load TensorFlow.

    Args:
        folder: where the event file goes.
    """

    def __init__(self, folder: Path) -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter

        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{os.getpid()}"
        self._file = open(folder / name, "wb")  # noqa: SIM115 - closed by `close`
        self._records = RecordWriter(self._file)
        self._event(file_version="brain.Event:2")

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Writes scalars of one step."""
        from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[attr-defined]

        values = [Summary.Value(tag=name, simple_value=value) for name, value in scalars.items()]
        self._event(step=step, summary=Summary(value=values))
        self._records.flush()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _event(self, **content: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event  # type: ignore[attr-defined]

        self._records.write(Event(wall_time=time.time(), **content).SerializeToString())


class Display:
    """Progress for people: a bar on a terminal, a line for each logging step elsewhere.

    Args:
        steps: number of steps in all.
        done: steps already taken.
    """

    def __init__(self, steps: int, done: int) -> None:
        console = Console(file=sys.stderr)
        self._console = console
        self._bar: Progress | None = None
        if console.is_terminal:
            bar = Progress(
                TextColumn("training"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TextColumn("{task.fields[loss]}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=console,
            )
            self._task = bar.add_task("training", total=steps, completed=done, rate="", loss="")
            bar.start()
            self._bar = bar
        self._steps = steps

    def advance(self, step: int) -> None:
        """Shows how many steps are done."""
        if self._bar is not None:
            self._bar.update(self._task, completed=step)

    def log(self, step: int, loss: float, tokens_per_second: float, seconds_left: float) -> None:
        """Shows the figures of a logging step."""
        if self._bar is not None:
            rate = f"{tokens_per_second / 1000:.1f}k tok/s"
            self._bar.update(self._task, completed=step, rate=rate, loss=f"loss {loss:.3f}")
        else:
            self.say(
                f"step {step}/{self._steps}  loss {loss:.4f}  {tokens_per_second:,.0f} tokens/s  "
                f"{_duration(seconds_left)} left"
            )

    def say(self, text: str) -> None:
        """Shows a line above the bar."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def close(self) -> None:
        """Takes the bar down."""
        if self._bar is not None:
            self._bar.stop()


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
