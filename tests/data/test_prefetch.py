import itertools
import threading
from collections.abc import Iterator

import pytest

from t5mix.data.prefetch import Prefetcher


def test_items_come_in_order_and_end():
    prefetcher = Prefetcher(iter(range(50)), depth=3)
    assert list(prefetcher) == list(range(50))
    with pytest.raises(StopIteration):
        next(prefetcher)
    prefetcher.close()


def test_an_error_comes_where_its_item_would_have():
    def source() -> Iterator[int]:
        yield 1
        yield 2
        raise KeyError("three")

    prefetcher = Prefetcher(source(), depth=4)
    assert [next(prefetcher), next(prefetcher)] == [1, 2]
    for _ in range(2):  # and stays
        with pytest.raises(KeyError, match="three"):
            next(prefetcher)
    prefetcher.close()


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_never_more_than_depth_and_one_ahead(depth: int):
    made = threading.Semaphore(0)
    count = itertools.count()

    def source() -> Iterator[int]:
        for item in count:
            made.release()
            yield item

    prefetcher = Prefetcher(source(), depth)
    for taken in range(10):
        for _ in range(depth + 1 if taken == 0 else 1):
            assert made.acquire(timeout=10)
        # The thread now waits for room with one item in hand: another one cannot appear until one is taken.
        assert not made.acquire(timeout=0.02)
        assert next(prefetcher) == taken
    prefetcher.close()


def test_close_ends_a_thread_that_waits_for_room():
    before = threading.active_count()
    prefetcher = Prefetcher(itertools.count(), depth=1)
    assert next(prefetcher) == 0
    prefetcher.close()
    assert threading.active_count() == before
    with pytest.raises(StopIteration):
        next(prefetcher)
    prefetcher.close()


def test_close_wakes_a_reader_that_waits():
    release = threading.Event()
    ended = threading.Event()

    def source() -> Iterator[int]:
        release.wait(10)
        yield 1

    prefetcher = Prefetcher(source(), depth=1)

    def read() -> None:
        list(prefetcher)
        ended.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    release.set()
    prefetcher.close()
    assert ended.wait(10)
    reader.join(10)


def test_the_source_is_closed_with_its_thread():
    closed = threading.Event()

    def source() -> Iterator[int]:
        try:
            yield from itertools.count()
        finally:
            closed.set()

    prefetcher = Prefetcher(source(), depth=1)
    next(prefetcher)
    prefetcher.close()
    del prefetcher
    assert closed.wait(10)
