"""Preparing data from a process that has neither TensorFlow nor seqio, by children that have them.

`prepare_in_child` does it before a run starts; `EpochPreparer` makes the coming epochs of random tasks in the
background. A child ends with its parent, however that ends.
"""

import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from t5mix.data.lock import DataLock, DataRequest, epoch_path
from t5mix.errors import T5MixError

_NICE = 10  # the background gives way to the host's part of training
_GRACE_SECONDS = 10.0  # for a child that was told to end, to remove what it has half-written
_TAIL = 2000  # characters of a failed child's output that the error repeats


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
        result = _Child(request, Path(folder), ["--quiet"] if quiet else [], background=False).result()
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
        self._child: _Child | None = None
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
                self._child = _Child(self._lock.request, Path(folder), options, background=True)
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


class _Child:
    """One `python -m t5mix.data.prepare`.

    Args:
        request: what it is to prepare.
        folder: an empty folder for what the two processes tell each other.
        options: further command-line options.
        background: whether its error stream is kept back, to be shown only if it fails.
    """

    def __init__(self, request: DataRequest, folder: Path, options: Sequence[str], *, background: bool) -> None:
        asked = folder / "request.json"
        asked.write_text(request.to_json(), encoding="utf-8")
        self._out = folder / "out.json"
        self._stderr: IO[bytes] | None = open(folder / "stderr", "w+b") if background else None  # noqa: SIM115
        command = [sys.executable, "-m", "t5mix.data.prepare", "--request", str(asked), "--out", str(self._out)]
        self._process = subprocess.Popen(
            [*command, "--end-with-parent", *options],
            stdin=subprocess.PIPE,  # never written to: its end of file tells the child that we are gone
            stdout=subprocess.DEVNULL,
            stderr=self._stderr,
            env=_environment(),
        )

    def result(self) -> Path:
        """Waits for the child and returns the file it wrote; ends it if this process is interrupted.

        Raises:
            T5MixError: the child failed.
        """
        try:
            code = self._process.wait()
        except BaseException:
            self.end()
            raise
        finally:
            if self._process.stdin is not None:
                self._process.stdin.close()
        output = self._tail()
        if code == 0:
            return self._out
        if self._out.exists():
            raise T5MixError(json.loads(self._out.read_text(encoding="utf-8"))["error"])
        ended = f"by signal {-code}" if code < 0 else f"with exit status {code}"
        raise T5MixError(f"The process that prepares the data ended {ended}. {output}".rstrip())

    def end(self) -> None:
        """Ends the child, if need be by force."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _tail(self) -> str:
        if self._stderr is None:
            return "Its own messages stand above."
        self._stderr.seek(0)
        text = self._stderr.read().decode("utf-8", errors="replace")
        self._stderr.close()
        return text[-_TAIL:].strip()


def _environment() -> dict[str, str]:
    """Returns the environment of a child: it imports from where we do, and keeps off accelerators."""
    ours = [path for path in sys.path if path and not path.startswith((sys.prefix, sys.base_prefix))]
    inherited = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    here = str(Path(__file__).resolve().parents[2])
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(dict.fromkeys([*ours, *inherited, here])),
        "CUDA_VISIBLE_DEVICES": "",
        "JAX_PLATFORMS": "cpu",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
