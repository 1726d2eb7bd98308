import os
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest

from t5mix.data import prepare_client
from t5mix.data.manifest import DataManifest, StoreEntry, TaskEntry
from t5mix.data.prepare_client import ShardCache, prepare_in_subprocess
from t5mix.data.token_store import StoreCounts, open_store
from t5mix.errors import T5MixError
from t5mix.subprocesses import WorkerLeftError


def test_a_child_prepares_and_the_shards_follow(make_request, data_files, declared):
    """One test for the whole life of a run's data, as each child takes seconds to load TensorFlow."""
    files = [data_files["labels_train"], data_files["labels_validation"]]
    streamed = {**declared["declared_labels"], "files": {"train": files, "validation": files[1]}}
    names = ("declared_labels", "declared_answers", "declared_text")
    tasks = {**declared, "declared_labels": streamed}
    manifest = prepare_in_subprocess(
        make_request(mixture=names, declared=tasks, streamed={"declared_labels": 80}),
        quiet=True,
    )
    assert [task.random for task in manifest.tasks] == [False, False, True]
    assert [task.shards_per_epoch for task in manifest.tasks] == [2, 1, 1]
    with ShardCache(manifest) as shard_cache:
        with pytest.raises(T5MixError, match="has one store for all epochs"):
            shard_cache.request("declared_answers", 1)
        assert shard_cache.wait("declared_text", 0) == shard_cache.path("declared_text", 0)
        shard_cache.request("declared_text", 1)
        shard_cache.request("declared_text", 1)
        path = shard_cache.wait("declared_text", 1)
        assert len(open_store(path)) == manifest.task("declared_text").splits["train"].counts.examples
        sizes = [len(open_store(shard_cache.wait("declared_labels", shard))) for shard in (0, 1)]
        assert sorted(sizes) == [20, 60]
        for task, shard in (("declared_labels", 1), ("declared_labels", 0), ("declared_text", 1)):
            shard_cache.discard(task, shard)
        assert not shard_cache.path("declared_labels", 1).exists()
        assert shard_cache.path("declared_labels", 0).exists()  # what is known of the size rests on it
        assert path.exists()  # an epoch of a task that is not streamed, for other runs too
        assert len(open_store(shard_cache.wait("declared_labels", 1))) == sizes[1]
        shard_cache.request("declared_text", 2)  # under way when the shard_cache closes
    assert not shard_cache.path("declared_text", 2).exists()
    assert not list(path.parent.glob(".*"))
    with pytest.raises(T5MixError, match="closed"):
        shard_cache.request("declared_text", 3)


def test_the_childs_error_comes_back_word_for_word(make_request):
    with pytest.raises(T5MixError, match=r"Unknown task or mixture 'declared_label'\. Did you mean 'declared_labels'"):
        prepare_in_subprocess(make_request(mixture=("declared_label",)), quiet=True)


class FakeWorker:
    """Answers at once; what it does is what `answers` says, in turn, by default making the store."""

    started: ClassVar[list["FakeWorker"]] = []
    answers: ClassVar[list[Any]] = []

    def __init__(self, module: str, arguments: list[str]) -> None:
        self.started.append(self)
        self.alive = True
        self.asked: list[tuple[str, int]] = []

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        self.asked.append((request["task"], request["shard"]))
        answer = self.answers.pop(0) if self.answers else self.make(request["shard"])
        if answer == "left":
            self.alive = False
            raise WorkerLeftError(answer)
        if isinstance(answer, str):
            self.alive = answer != "crash"
            raise T5MixError(answer)
        return {"path": str(answer)}

    def close(self) -> None:
        self.alive = False

    end = close


@pytest.fixture
def shard_cache(tmp_path: Path, tiny, monkeypatch):
    """The shards of a streamed task of 5 source shards, with a worker that is none."""
    store = StoreEntry(str(tmp_path / "s"), "f", StoreCounts(5, 20, 15))
    entry = TaskEntry("s", False, {"train": store}, shards_per_epoch=5)
    manifest = DataManifest(tiny.make_request(tmp_path), tiny.make_manifest(tmp_path).vocabulary, (entry,))

    def make(self: FakeWorker, shard: int) -> Path:
        return tiny.store_of_lengths(entry.path("train", shard), [(2, 2)]).path

    monkeypatch.setattr(FakeWorker, "make", make, raising=False)
    monkeypatch.setattr(FakeWorker, "started", [])
    monkeypatch.setattr(FakeWorker, "answers", [])
    monkeypatch.setattr(prepare_client, "Worker", FakeWorker)
    with ShardCache(manifest) as made:
        yield made


def test_a_shard_that_failed_is_tried_again(shard_cache: ShardCache):
    FakeWorker.answers[:] = ["the disk is full", "crash"]
    for said in ("the disk is full", "crash"):
        with pytest.raises(T5MixError, match=said):
            shard_cache.wait("s", 1)
    assert shard_cache.wait("s", 1).name == "epoch-00000-shard-00001"
    assert [worker.asked for worker in FakeWorker.started] == [[("s", 1), ("s", 1)], [("s", 1)]]


def test_a_worker_that_has_left_is_replaced(shard_cache: ShardCache):
    FakeWorker.answers[:] = ["left"]
    assert shard_cache.wait("s", 1).exists()
    assert [worker.asked for worker in FakeWorker.started] == [[("s", 1)], [("s", 1)]]


def test_a_worker_is_replaced_now_and_then(shard_cache: ShardCache, monkeypatch):
    monkeypatch.setattr(prepare_client, "_SHARDS_PER_WORKER", 2)
    for shard in range(5):
        shard_cache.wait("s", shard)
    assert [len(worker.asked) for worker in FakeWorker.started] == [2, 2, 1]
    assert [worker.alive for worker in FakeWorker.started] == [False, False, True]


def test_changed_data_is_refused(shard_cache: ShardCache, tmp_path: Path):
    FakeWorker.answers[:] = [tmp_path / "elsewhere"]
    with pytest.raises(T5MixError, match="have changed since the run began"):
        shard_cache.wait("s", 1)


def test_a_shard_that_another_run_discarded_is_made_again(shard_cache: ShardCache):
    for _ in range(2):
        assert (shard_cache.wait("s", 6) / "meta.json").exists()
        shard_cache.discard("s", 6)
        shard_cache.discard("s", 6)
    assert FakeWorker.started[0].asked == [("s", 6), ("s", 6)]


def test_preparing_needs_no_tensorflow_here():
    code = (
        "import sys, t5mix.data.prepare_client, t5mix.data.tokenizer, t5mix.sources.declaration, "
        "t5mix.cache.vocabulary_training;"
        "print([name for name in sys.modules if name.split('.')[0] in ('tensorflow', 'seqio', 'jax')])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert result.stdout.strip() == "[]"


class FakeChild:
    """A child that writes down what happens to it."""

    made: ClassVar[list["FakeChild"]] = []

    def __init__(self, module: str, arguments: list[str], out: Path, *, show: bool = False) -> None:
        self.made.append(self)
        self.out, self.sent, self.ended = out, [], ""
        self.running = True

    def send(self, line: str) -> None:
        self.sent.append(line)
        self.running = False

    def result(self) -> Path:
        raise T5MixError("it was asked")

    def end(self) -> None:
        self.ended = "in order"

    def kill(self) -> None:
        self.ended = "at once"


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list[FakeChild]:
    monkeypatch.setattr(FakeChild, "made", [])
    monkeypatch.setattr("t5mix.subprocesses.Child", FakeChild)
    return FakeChild.made


def test_a_child_that_was_started_early_is_the_one_that_is_asked(children: list[FakeChild], make_request: Any):
    seen: list[Any] = []
    request = make_request()
    with prepare_client.early_preparation(tensorflow=False):
        assert len(children) == 1
        assert children[0].sent == []
        with pytest.raises(T5MixError, match="it was asked"):
            prepare_in_subprocess(request, meanwhile=seen.append)
        assert children[0].sent == [request.to_json()]
        assert children[0].ended == "in order"
    assert len(children) == 1
    assert seen == [None]  # nothing like it was prepared before
    assert not children[0].out.parent.exists()


def test_a_child_that_nobody_asks_ends_at_once(children: list[FakeChild]):
    with prepare_client.early_preparation(tensorflow=False):
        pass
    assert [child.ended for child in children] == ["at once"]
    with pytest.raises(T5MixError), prepare_client.early_preparation(tensorflow=False):
        raise T5MixError("a setting is wrong")
    assert [child.ended for child in children] == ["at once", "at once"]


def test_what_the_same_request_gave_is_known_the_next_time(
    children: list[FakeChild], tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    manifest = tiny.make_manifest(tmp_path)

    def result(self: FakeChild) -> Path:
        manifest.save(self.out)
        return self.out

    monkeypatch.setattr(FakeChild, "result", result)
    seen: list[Any] = []
    for _ in range(2):
        assert prepare_in_subprocess(manifest.request, meanwhile=seen.append) == manifest
    assert seen == [None, manifest]
