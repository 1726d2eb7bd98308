"""Running an iterator ahead of its reader, by a bounded number of items, in a thread."""

import contextlib
import queue
import threading
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class _End:
    """Marks the end of the iterator, with the error that ended it, if one did."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class Prefetcher(Iterator[T], Generic[T]):
    """Yields the items of an iterator in its order, made ahead of time in one thread.

    An error in the iterator is raised where its item would have come. Call `close` to stop the thread early; after it
    the iterator has ended.

    Args:
        source: the iterator; only the thread touches it from now on.
        depth: how many finished items may wait. Memory is bounded by depth + 1 items.
    """

    def __init__(self, source: Iterator[T], depth: int) -> None:
        self._queue: queue.Queue[T | _End] = queue.Queue(maxsize=depth)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(source,), name="prefetch", daemon=True)
        self._thread.start()

    def __next__(self) -> T:
        item = self._queue.get()
        if isinstance(item, _End):
            self._queue.put(item)  # so that the next call ends too
            if item.error is not None:
                raise item.error
            raise StopIteration
        return item

    def close(self) -> None:
        """Stops the thread and waits for it."""
        self._stop.set()
        while self._thread.is_alive():
            try:
                self._queue.get_nowait()  # the thread may be waiting for room
            except queue.Empty:
                self._thread.join(timeout=0.05)
        with contextlib.suppress(queue.Empty):
            while True:
                self._queue.get_nowait()
        with contextlib.suppress(queue.Full):  # a reader in another thread has put the end back itself
            self._queue.put_nowait(_End(None))

    def _run(self, source: Iterator[T]) -> None:
        error: BaseException | None = None
        try:
            for item in source:
                if self._stop.is_set():
                    return
                self._queue.put(item)
        except BaseException as caught:
            error = caught
        self._queue.put(_End(error))
