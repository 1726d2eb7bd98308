"""What a running sweep shows: a live table where there is a screen, else a line for each event."""

import time
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from t5mix.console import units
from t5mix.sweep.folder import SweepFolder
from t5mix.sweep.progress import RunningProcess
from t5mix.tracking.metrics_file import read_metrics
from t5mix.tracking.run_directory import RunDirectory


class SweepProgress:
    """Shows how a sweep goes, on the error stream.

    Args:
        folder: of its results.
    """

    def __init__(self, folder: SweepFolder) -> None:
        self._folder = folder
        self._console = Console(stderr=True)
        self._overall = Progress(
            TextColumn("runs"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
        )
        self._bar = self._overall.add_task("", total=None, left="")
        self._live = Live(console=self._console, refresh_per_second=2, transient=True)
        self._began = time.monotonic()
        self._first_done: int | None = None
        self._last_done = -1
        if self._console.is_terminal:
            self._live.start()

    def update(self, processes: list[RunningProcess], done: int, total: int) -> None:
        """Shows the processes that run, and how much is left."""
        left = self._left(done, total)
        self._overall.update(self._bar, completed=done, total=total, left=left)
        if self._console.is_terminal:
            self._live.update(Group(self._table(processes), self._overall))
        elif done > self._last_done:
            self._last_done = done
            self.info(f"{done} of {total} runs done. {left}".rstrip())

    def info(self, text: str) -> None:
        """Writes a line above the table."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def close(self) -> None:
        """Takes the table down."""
        self._live.stop()

    def _left(self, done: int, total: int) -> str:
        """Says how long the rest takes, if runs go on as they did since this start."""
        if self._first_done is None:
            self._first_done = done
        if done == self._first_done or done >= total:
            return ""
        seconds = (time.monotonic() - self._began) / (done - self._first_done) * (total - done)
        return f"about {units.duration(round(seconds))} left"

    def _table(self, processes: list[RunningProcess]) -> Table:
        table = Table("run", "step", "loss", "running for", box=None, pad_edge=False)
        for process in processes:
            run = process.run
            step, loss = _progress(self._folder.runs / run.folder)
            doing = f"{step:,} of {run.steps:,}" if step < run.steps else "being scored"
            table.add_row(process.name, doing, loss, units.clock(time.monotonic() - process.since))
        return table


def _progress(run: Path) -> tuple[int, str]:
    """Returns the last step that a run has logged, and its loss as text."""
    logged = read_metrics(RunDirectory(run).metrics).train
    return (logged[-1]["step"], f"{logged[-1]['loss']:.3f}") if logged else (0, "")
