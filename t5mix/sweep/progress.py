"""What a running sweep tells of itself."""

import dataclasses
from typing import Protocol

from t5mix.sweep.executors import ProcessHandle
from t5mix.sweep.plan import Trial
from t5mix.sweep.planned_runs import PlannedRun


@dataclasses.dataclass
class RunningProcess:
    """A process that was started and has not ended.

    Attributes:
        name: of the run, for people: "full, lr 0.002, seed 1, tuning".
        run: what it trains.
        trial: what it scores; None if it only trains.
        handle: of the process.
        work: what it does, in words, once it is done.
        since: when it was started, in seconds of `time.monotonic`.
    """

    name: str
    run: PlannedRun
    trial: Trial | None
    handle: ProcessHandle
    work: str
    since: float


class SweepListener(Protocol):
    """Is told how a sweep goes."""

    def update(self, processes: list[RunningProcess], done: int, total: int) -> None:
        """Takes notice of the processes that run, and of how many runs of the plan are done, also before this start."""
        ...

    def info(self, text: str) -> None:
        """Takes notice of an event."""
        ...
