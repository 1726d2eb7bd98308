"""Child processes: what comes back of them."""

import contextlib
import json
import threading

import pytest

from t5mix.errors import T5MixError
from t5mix.subprocesses import Child, Worker, WorkerLeftError

CHILD = """
import json, os, pathlib, sys
how, out = sys.argv[1], pathlib.Path(sys.argv[3])
if how == "result":
    out.write_text(json.dumps({"devices": os.environ["CUDA_VISIBLE_DEVICES"]}))
if how == "error":
    out.write_text(json.dumps({"error": "the label is wrong"}))
    sys.exit(2)
if how == "crash":
    raise RuntimeError("out of luck")
"""

WORKER = """
import json, os, sys
for line in sys.stdin:
    asked = json.loads(line)
    if asked["how"] == "leave":
        break
    if asked["how"] == "crash":
        raise RuntimeError("out of luck")
    print(json.dumps({"error": "no"} if asked["how"] == "error" else {"pid": os.getpid()}), flush=True)
"""


@pytest.fixture
def child(tmp_path, monkeypatch):
    (tmp_path / "a_child_to_run.py").write_text(CHILD)
    monkeypatch.syspath_prepend(tmp_path)
    return lambda how: json.loads(Child("a_child_to_run", [how], tmp_path / "out.json").result().read_text())


def test_the_result_comes_back_and_there_are_no_accelerators(child):
    assert child("result") == json.loads('{"devices": ""}')


def test_the_childs_error_comes_back_word_for_word(child):
    with pytest.raises(T5MixError, match=r"^the label is wrong$"):
        child("error")


def test_a_crash_shows_what_was_printed(child):
    with pytest.raises(T5MixError, match=r"(?s)a_child_to_run ended with exit status 1.*out of luck"):
        child("crash")


@pytest.fixture
def worker(tmp_path, monkeypatch):
    (tmp_path / "a_worker_to_run.py").write_text(WORKER)
    monkeypatch.syspath_prepend(tmp_path)
    with contextlib.closing(Worker("a_worker_to_run", [])) as made:
        yield made


def test_a_worker_answers_until_it_is_closed(worker):
    first = worker.ask({"how": "result"})
    with pytest.raises(T5MixError, match=r"^no$"):
        worker.ask({"how": "error"})
    assert worker.ask({"how": "result"}) == first
    assert worker.alive
    worker.end()
    with pytest.raises(T5MixError, match="a_worker_to_run ended by signal 15"):
        worker.ask({"how": "result"})
    assert not worker.alive


def test_a_workers_crash_shows_what_was_printed(worker):
    with pytest.raises(T5MixError, match=r"(?s)a_worker_to_run ended with exit status 1.*out of luck"):
        worker.ask({"how": "crash"})


def test_a_worker_may_leave(worker):
    with pytest.raises(WorkerLeftError, match="a_worker_to_run ended with exit status 0"):
        worker.ask({"how": "leave"})


def test_who_waits_for_a_worker_that_is_ended_hears_of_it(tmp_path, monkeypatch):
    (tmp_path / "a_worker_that_waits.py").write_text("import sys; sys.stdin.read()")
    monkeypatch.syspath_prepend(tmp_path)
    with contextlib.closing(Worker("a_worker_that_waits", [])) as worker:
        threading.Timer(0.1, worker.end).start()
        with pytest.raises(T5MixError, match="ended by signal 15"):
            worker.ask({})
