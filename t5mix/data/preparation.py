"""Preparing data from a process that has neither TensorFlow nor seqio, by children that have them.

`prepare_in_child` does it before a run starts; `EpochPreparer` makes the coming epochs of random tasks in the
background. A child ends with its parent, however that ends.
"""

import concurrent.futures
import json
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from t5mix.data.child import Child
from t5mix.data.lock import DataLock, DataRequest, epoch_path
from t5mix.errors import T5MixError

_NICE = 10  # the background gives way to the host's part of training


def prepare_in_child(request: DataRequest, *, quiet: bool = False) -> DataLock:
    """Prepares a run's data in a process of its own and returns the lock.

    The child's progress and warnings appear on this process's error stream.

    Args:
        request: what the run wants.
        quiet: whether to show no progress.

    Raises:
        T5MixError: what the child raised, word for word.
    """
    with tempfile.TemporaryDirectory(prefix="t5mix-") as folder:
        result = _child(request, Path(folder), ["--quiet"] if quiet else [], show=True).result()
        return DataLock.load(result)


class EpochPreparer:
    """Makes the stores of coming epochs in the background, one child at a time.

        with EpochPreparer(lock) as preparer:
            preparer.request_epoch("c4", 1)   # returns at once
            ...
            path = preparer.wait("c4", 1)

    Args:
        lock: the run's data.
    """

    def __init__(self, lock: DataLock) -> None:
        self._lock = lock
        self._queue = concurrent.futures.ThreadPoolExecutor(1, "epoch-preparer")
        self._jobs: dict[tuple[str, int], concurrent.futures.Future[Path]] = {}
        self._guard = threading.Lock()
        self._child: Child | None = None
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def path(self, task: str, epoch: int) -> Path:
        """Returns where the store of an epoch lies or will lie.

        Raises:
            T5MixError: the task is not in the lock, or the same in every epoch.
        """
        entry = self._lock.task(task)
        if not entry.random:
            raise T5MixError(f"Task {task!r} draws nothing at random: it has one store for all epochs.")
        return epoch_path(entry.splits["train"].path, epoch)

    def request_epoch(self, task: str, epoch: int) -> None:
        """Sees to it that an epoch's store is made; returns at once."""
        if (self.path(task, epoch) / "meta.json").exists():
            return
        with self._guard:
            if self._closed:
                raise T5MixError("The preparer of epochs is closed.")
            job = self._jobs.get((task, epoch))
            if job is None or (job.done() and job.exception() is not None):  # a failure may have been mended
                self._jobs[task, epoch] = self._queue.submit(self._make, task, epoch)

    def wait(self, task: str, epoch: int) -> Path:
        """Returns an epoch's store, asking for it if nobody has, once it is there.

        Raises:
            T5MixError: it cannot be made.
        """
        path = self.path(task, epoch)
        job = self._jobs.get((task, epoch))
        if job is None or job.done():
            if (path / "meta.json").exists():
                return path
            if job is None:
                self.request_epoch(task, epoch)
                job = self._jobs.get((task, epoch))
        return path if job is None else job.result()

    def close(self) -> None:
        """Ends the child that is at work and forgets the rest; what was finished stays."""
        with self._guard:
            self._closed = True
            child = self._child
        if child is not None:
            child.end()
        self._queue.shutdown(wait=True, cancel_futures=True)

    def _make(self, task: str, epoch: int) -> Path:
        options = ["--task", task, "--epoch", str(epoch), "--quiet", "--nice", str(_NICE)]
        with tempfile.TemporaryDirectory(prefix="t5mix-") as folder:
            with self._guard:
                if self._closed:
                    raise T5MixError("The preparer of epochs was closed.")
                self._child = _child(self._lock.request, Path(folder), options, show=False)
            try:
                result = self._child.result()
            finally:
                self._child = None
            made = Path(json.loads(result.read_text(encoding="utf-8"))["path"])
        if made != self.path(task, epoch):
            raise T5MixError(
                f"Epoch {epoch} of task {task!r} was made in {made}, and the run's data lock expects "
                f"{self.path(task, epoch)}: the task's files, its code or its vocabulary have changed since the "
                "run began. Put them back, or start a new run."
            )
        return made


def _child(request: DataRequest, folder: Path, options: Sequence[str], *, show: bool) -> Child:
    """Starts `python -m t5mix.data.prepare` on a request; `folder` is an empty one for what the two tell each other."""
    asked = folder / "request.json"
    asked.write_text(request.to_json(), encoding="utf-8")
    arguments = ["--request", str(asked), "--end-with-parent", *options]
    return Child("t5mix.data.prepare", arguments, folder / "out.json", show=show, end_with_us=True)
