"""Who makes, awaits and deletes pieces where several processes train; what they tell one another is stood in for."""

import threading
from pathlib import Path
from typing import Any

import pytest

from t5mix.distributed import shared_shards
from t5mix.distributed.shared_shards import AwaitedPieces, MakingPieces, shared
from t5mix.errors import T5MixError


class Preparer:
    """Stands in for `PiecePreparer`: makes what is waited for, and keeps count."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: list[int] = []
        self.requested: list[int] = []
        self.discarded: list[int] = []
        self.closed = False

    def path(self, task: str, piece: int) -> Path:
        return self.folder / task / str(piece)

    def make(self, task: str, piece: int) -> None:
        self.path(task, piece).mkdir(parents=True)
        (self.path(task, piece) / "meta.json").touch()

    def request(self, task: str, piece: int) -> None:
        self.requested.append(piece)

    def wait(self, task: str, piece: int) -> Path:
        if not (self.path(task, piece) / "meta.json").exists():
            if self.closed:
                raise T5MixError("closed")
            self.made.append(piece)
            self.make(task, piece)
        return self.path(task, piece)

    def discard(self, task: str, piece: int) -> None:
        self.discarded.append(piece)

    def close(self) -> None:
        self.closed = True


class Marks:
    """Stands in for what the processes tell one another."""

    def __init__(self) -> None:
        self.of: dict[str, set[int]] = {}
        self.process = 0

    def mark(self, point: str) -> None:
        self.of.setdefault(point, set()).add(self.process)

    def marked(self, point: str) -> bool:
        return self.of[point] == {0, 1}


@pytest.fixture
def preparer(tmp_path: Path) -> Any:
    return Preparer(tmp_path)


@pytest.fixture
def marks(monkeypatch: pytest.MonkeyPatch) -> Marks:
    marks = Marks()
    monkeypatch.setattr(shared_shards, "mark", marks.mark)
    monkeypatch.setattr(shared_shards, "marked", marks.marked)
    return marks


def test_alone_a_process_has_its_preparer(preparer: Any):
    assert shared(preparer) is preparer


def test_a_piece_is_deleted_when_nobody_needs_it(preparer: Any, marks: Marks):
    making, awaited = MakingPieces(preparer), AwaitedPieces(preparer)
    making.request("c4", 1)
    assert making.wait("c4", 1) == preparer.path("c4", 1)
    assert (preparer.requested, preparer.made) == ([1], [1])
    making.discard("c4", 1)
    making.discard("c4", 2)
    assert preparer.discarded == []
    marks.process = 1
    for piece in (1, 2):
        awaited.discard("c4", piece)
    marks.process = 0
    making.discard("c4", 3)
    assert preparer.discarded == [1, 2]
    making.discard("c4", 4)
    assert preparer.discarded == [1, 2]
    making.close()
    assert preparer.closed


def test_another_process_waits_for_what_the_first_one_makes(preparer: Any):
    awaited = AwaitedPieces(preparer)
    awaited.request("c4", 1)
    timer = threading.Timer(0.3, preparer.make, ("c4", 1))
    timer.start()
    assert awaited.wait("c4", 1) == preparer.path("c4", 1)
    timer.join()
    assert preparer.made == preparer.requested == []


def test_what_does_not_come_is_made(preparer: Any):
    assert AwaitedPieces(preparer, patience=0).wait("c4", 1) == preparer.path("c4", 1)
    assert preparer.made == [1]


def test_closing_wakes_who_waits(preparer: Any):
    awaited = AwaitedPieces(preparer)
    awaited.close()
    with pytest.raises(T5MixError, match="closed"):
        awaited.wait("c4", 1)
