"""Preparing data from a process that has neither TensorFlow nor seqio, by children that have them.

`prepare_in_subprocess` does it before a run starts; `ShardCache` makes the coming shards of random and streamed tasks
in the background. A child ends with its parent, however that ends.
"""

import concurrent.futures
import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from t5mix.console.stage import stage
from t5mix.data.manifest import DataManifest, DataRequest
from t5mix.data.token_store import delete_store
from t5mix.errors import T5MixError
from t5mix.files import sha256_of_text
from t5mix.subprocesses import EarlyChild, Worker, WorkerLeftError

CHECKED = "checked"
"""The file that a child makes beside its result once all is checked; from then on it shows its progress itself."""
_POLL_SECONDS = 0.05
_NICE = 10  # the background gives way to the host's part of training
_SHARDS_PER_WORKER = 256  # then a fresh one takes over: TensorFlow keeps a little of every data set it has built


def prepare_in_subprocess(
    request: DataRequest, *, quiet: bool = False, meanwhile: Callable[[DataManifest | None], None] | None = None
) -> DataManifest:
    """Prepares a run's data in a process of its own and returns the manifest.

    The child's progress and warnings appear on this process's error stream.

    Args:
        request: what data the run asks for.
        quiet: whether to show no progress.
        meanwhile: is called while the child works, with what the same request gave the last time, if it was made
            before: most likely it is what it will give now.

    Raises:
        T5MixError: what the child raised, word for word.
    """
    early = None if quiet else _early
    with early or _Preparation(quiet=quiet, tensorflow=request.needs_tensorflow) as preparation:
        preparation.send(request.to_json())
        last = Path(request.store_dir).expanduser() / "requests" / f"{sha256_of_text(request.to_json())[:16]}.json"
        if meanwhile is not None:
            meanwhile(_manifest_in(last))
        manifest = preparation.manifest()
        manifest.save(last)
        return manifest


@contextlib.contextmanager
def early_preparation(*, tensorflow: bool) -> Iterator[None]:
    """Starts the child of the coming `prepare_in_subprocess` now: loading takes seconds that can be used.

    It ends with the context if it is not needed.

    Args:
        tensorflow: whether the request will need TensorFlow, as `DataRequest.needs_tensorflow` will say.
    """
    global _early
    _early = _Preparation(tensorflow=tensorflow)
    try:
        yield
    finally:
        end_early()


def end_early() -> None:
    """Ends what `early_preparation` began, as no data needs to be prepared."""
    if _early is not None:
        with _early:
            pass


class _Preparation(EarlyChild):
    """A child that prepares data once it is told which."""

    def __init__(self, *, tensorflow: bool, quiet: bool = False) -> None:
        options = ["--mark-checked", *(["--quiet"] if quiet else []), *(["--tensorflow"] if tensorflow else [])]
        super().__init__("t5mix.cache.prepare_worker", options, show=True)
        self._label = (
            None if quiet else f"Loading {'TensorFlow and ' if tensorflow else ''}the tasks, and checking them"
        )

    def __enter__(self) -> Self:
        global _early
        if _early is self:
            _early = None
        return self

    def manifest(self) -> DataManifest:
        """Waits for what was prepared."""
        with stage(self._label):
            while self.child.running and not (self.folder / CHECKED).exists():
                time.sleep(_POLL_SECONDS)
        return DataManifest.load(self.child.result())


_early: _Preparation | None = None


def _manifest_in(path: Path) -> DataManifest | None:
    with contextlib.suppress(T5MixError, OSError):
        return DataManifest.load(path)
    return None


class ShardCache:
    """Makes the stores of coming shards in the background, and deletes those of streamed tasks that are used up.

        with ShardCache(manifest) as shards:
            shards.request("c4", 1)   # returns at once
            ...
            path = shards.wait("c4", 1)

    One worker makes them, one after the other. It stays for the next, as loading TensorFlow takes longer than most
    shards do, and leaves when there has been none for minutes.

    Args:
        manifest: the run's data.
    """

    def __init__(self, manifest: DataManifest) -> None:
        self._manifest = manifest
        self._queue = concurrent.futures.ThreadPoolExecutor(1, "shard-cache")
        self._jobs: dict[tuple[str, int], concurrent.futures.Future[None]] = {}
        self._guard = threading.Lock()
        self._worker: Worker | None = None
        self._made = 0
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def path(self, task: str, shard: int) -> Path:
        """Returns where the store of a shard lies or will lie.

        Raises:
            T5MixError: the task is not in the manifest, or has one store for all epochs.
        """
        entry = self._manifest.task(task)
        if not entry.has_many_shards:
            raise T5MixError(f"Task {task!r} is not random and not streamed: it has one store for all epochs.")
        return entry.path("train", shard)

    def request(self, task: str, shard: int) -> None:
        """Sees to it that a shard's store is made; returns at once."""
        self._request(task, shard)

    def wait(self, task: str, shard: int) -> Path:
        """Returns a shard's store, asking for it if nobody has, once it is there.

        Raises:
            T5MixError: it cannot be made.
        """
        while (job := self._request(task, shard)) is not None:
            job.result()
        return self.path(task, shard)

    def discard(self, task: str, shard: int) -> None:
        """Deletes the store of a shard that this run needs no more, if its task is streamed.

        The first shard stays, as the task's size is judged by it; so do the epochs of tasks that are not
        streamed, which other runs can use. A run that needs a shard after all makes it again, the same.
        """
        with self._guard:
            self._jobs.pop((task, shard), None)
        if shard and self._manifest.task(task).is_streamed:
            delete_store(self.path(task, shard))

    def close(self) -> None:
        """Ends the worker and forgets what was asked for; what was finished stays."""
        with self._guard:
            self._closed = True
            worker = self._worker
        if worker is not None:
            worker.end()  # whoever waits for it gets an error
        self._queue.shutdown(wait=True, cancel_futures=True)
        if worker is not None:
            worker.close()

    def _request(self, task: str, shard: int) -> concurrent.futures.Future[None] | None:
        """Returns the job that makes a shard, beginning one if none is under way; None if the store is there."""
        path = self.path(task, shard)
        with self._guard:
            job = self._jobs.get((task, shard))
            if job is None or job.done():  # one that failed is tried again: what was wrong may have been mended
                if (path / "meta.json").exists():
                    return None
                if self._closed:
                    raise T5MixError("The shard cache is closed.")
                job = self._jobs[task, shard] = self._queue.submit(self._make, task, shard)
            return job

    def _make(self, task: str, shard: int) -> None:
        request = {"request": self._manifest.request.to_json(), "task": task, "shard": shard}
        try:
            answer = self._ask(request)
        except WorkerLeftError:
            answer = self._ask(request)
        path = Path(answer["path"])
        if path != self.path(task, shard):
            raise T5MixError(
                f"Shard {shard} of task {task!r} was made in {path}, and the run's data manifest expects "
                f"{self.path(task, shard)}: the task's files, its code or its vocabulary have changed since the "
                "run began. Put them back, or start a new run."
            )

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        with self._guard:
            if self._closed:
                raise T5MixError("The shard cache was closed.")
            if self._worker is None:
                self._worker = Worker("t5mix.cache.prepare_worker", ["--serve", "--quiet", "--nice", str(_NICE)])
                self._made = 0
            worker = self._worker
        try:
            self._made += 1
            return worker.ask(request)
        finally:
            if not worker.alive or self._made == _SHARDS_PER_WORKER:
                with self._guard:
                    self._worker = None
                worker.close()
