"""How far training has come, for people: a bar on a terminal, a line for each logging step elsewhere."""

import sys

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from t5mix.console import units


class TrainingProgress:
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

    def log_metrics(self, step: int, loss: float, tokens_per_second: float, seconds_left: float) -> None:
        """Shows the figures of a logging step."""
        if self._bar is not None:
            rate = f"{units.si_number(tokens_per_second)} tokens/s"
            self._bar.update(self._task, completed=step, rate=rate, loss=f"loss {loss:.3f}")
        else:
            self.info(
                f"step {step}/{self._steps}  loss {loss:.4f}  {tokens_per_second:,.0f} tokens/s  "
                f"{units.clock(seconds_left)} left"
            )

    def info(self, text: str) -> None:
        """Shows a line above the bar."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def close(self) -> None:
        """Takes the bar down."""
        if self._bar is not None:
            self._bar.stop()
