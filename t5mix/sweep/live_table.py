"""What a running sweep shows: a live table on a terminal, else a line for each event and every few seconds."""

import time
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from t5mix.console import units
from t5mix.console.stage import SECONDS_A_LINE
from t5mix.sweep.folder import SweepFolder
from t5mix.sweep.progress import RunningProcess
from t5mix.tracking.metrics_file import read_metrics
from t5mix.tracking.run_directory import RunDirectory

_SCORED = "being scored"


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
        self._spoken = time.monotonic()
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
        elif processes and time.monotonic() - self._spoken >= SECONDS_A_LINE:
            self.info(self._line(processes))

    def info(self, text: str) -> None:
        """Writes a line above the table."""
        self._spoken = time.monotonic()
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

    def _line(self, processes: list[RunningProcess]) -> str:
        """Says in a line what the first of the running processes does."""
        name, doing, loss, since = self._row(processes[0])
        others = f"; {len(processes) - 1} more at once" if len(processes) > 1 else ""
        if doing != _SCORED:
            doing = f"step {doing}, loss {loss}" if loss else "starting"
        return f"{name}: {doing}, {since}{others}"

    def _table(self, processes: list[RunningProcess]) -> Table:
        table = Table("run", "step", "loss", "running for", box=None, pad_edge=False)
        for process in processes:
            table.add_row(*self._row(process))
        return table

    def _row(self, process: RunningProcess) -> tuple[str, str, str, str]:
        """Returns a process's name, what it does, its last loss if it has logged one, and for how long it runs."""
        step, loss = _progress(self._folder.runs / process.run.folder)
        doing = f"{step:,} of {process.run.steps:,}" if step < process.run.steps else _SCORED
        return process.name, doing, loss, units.clock(time.monotonic() - process.since)


def _progress(run: Path) -> tuple[int, str]:
    """Returns the last step that a run has logged, and its loss as text."""
    logged = read_metrics(RunDirectory(run).metrics).train
    return (logged[-1]["step"], f"{logged[-1]['loss']:.3f}") if logged else (0, "")
