"""How far training has come, for people: a bar on a terminal, a line for each logging step elsewhere."""

import contextlib
import sys
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from t5mix.console import units
from t5mix.console.progress import Advance, progress
from t5mix.console.stage import SECONDS_A_LINE, SOON, stage


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
        self._first: tuple[int, float] | None = None  # a step, and when it was done: what is left is judged from there
        self._spoken = time.monotonic()

    def advance(self, step: int) -> None:
        """Shows how many steps are done."""
        if self._bar is not None:
            self._bar.update(self._task, completed=step)
            return
        now = time.monotonic()
        first, since = self._first = self._first or (step, now)
        if now - self._spoken >= SECONDS_A_LINE:
            left = (now - since) / (step - first) * (self._steps - step) if step > first else None
            self.info(f"step {step}/{self._steps}" + ("" if left is None else f"  {units.clock(left)} left"))

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
        self._spoken = time.monotonic()
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def during(self, label: str, *, after: float = SOON) -> contextlib.AbstractContextManager[None]:
        """Shows what else is under way (`t5mix.console.stage`); the bar itself runs on."""
        return contextlib.nullcontext() if self._bar is not None else stage(label, after=after)

    def counting(self, label: str, examples: int) -> contextlib.AbstractContextManager[Advance]:
        """Shows how far other work on so many examples has come, if it takes long; the bar itself runs on."""
        return progress(None if self._bar is not None else label, examples, brief=True)

    def close(self) -> None:
        """Takes the bar down."""
        if self._bar is not None:
            self._bar.stop()
