"""Starting processes here and on clusters: what they get, what is heard of them, how they end."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from t5mix.errors import T5MixError
from t5mix.sweep.cluster_executors import RayExecutor, SubmititExecutor, check_executor
from t5mix.sweep.executors import Executor, LocalExecutor, ProcessHandle, terminate_all, visible_gpus

PATIENCE = 60.0
ENVIRONMENT = {"OF_THE_SWEEP": "yes"}
LOCAL_ENVIRONMENT = {**os.environ, **ENVIRONMENT}


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def status(handle: ProcessHandle) -> int:
    began = time.monotonic()
    while (code := handle.poll()) is None:
        assert time.monotonic() - began < PATIENCE
        time.sleep(0.05)
    return code


@pytest.fixture(params=["local", "submitit", pytest.param("ray", marks=pytest.mark.slow)])
def executor(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Executor]:
    if request.param == "local":
        chosen: Executor = LocalExecutor(2, 2, [], LOCAL_ENVIRONMENT)
    elif request.param == "submitit":
        pytest.importorskip("submitit")
        chosen = SubmititExecutor("local", tmp_path / "submitit", 2, 0, ENVIRONMENT, {})
    else:
        pytest.importorskip("ray")
        chosen = RayExecutor(None, 2, 0, ENVIRONMENT)
    yield chosen
    chosen.close()


def test_a_process_says_what_it_says_and_ends_as_it_ends(executor: Executor, tmp_path: Path):
    log = tmp_path / "log"
    log.write_text("before\n")
    code = "import os, sys; print(os.environ['OF_THE_SWEEP']); print('wrong', file=sys.stderr); sys.exit(3)"
    assert executor.has_room(1)
    assert status(executor.submit("name", python(code), log, 1)) == 3
    assert sorted(log.read_text().split()) == ["before", "wrong", "yes"]


@pytest.mark.parametrize(
    "executor",
    ["local", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("submitit", "ray"))],
    indirect=True,
)
def test_no_more_than_the_most_run_at_once(executor: Executor, tmp_path: Path):
    handles = [executor.submit(f"{i}", python("import time; time.sleep(8)"), tmp_path / f"{i}", 1) for i in range(2)]
    assert not executor.has_room(1)
    terminate_all(handles)
    assert executor.has_room(1)


class QueuedJob:
    """A job of submitit's that runs until it is cancelled."""

    def __init__(self, *_: object) -> None:
        self.cancelled = False

    def done(self) -> bool:
        return self.cancelled

    def cancel(self, check: bool) -> None:
        self.cancelled = True

    def result(self) -> int:
        raise RuntimeError("cancelled")

    def wait(self) -> None: ...


def test_no_more_than_the_most_are_queued_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("submitit")
    executor = SubmititExecutor("local", tmp_path / "submitit", 2, 0, ENVIRONMENT, {})
    monkeypatch.setattr(executor._submitit, "submit", QueuedJob)
    handles = [executor.submit(f"{i}", python("pass"), tmp_path / f"{i}", 1) for i in range(2)]
    assert not executor.has_room(1)
    terminate_all(handles)
    assert executor.has_room(1)
    assert all(handle.poll() is not None for handle in handles)


def test_processes_have_cores_and_gpus_of_their_own(tmp_path: Path):
    cores = sorted(os.sched_getaffinity(0))
    executor = LocalExecutor(2, len(cores), ["4", "5", "6", "7"], LOCAL_ENVIRONMENT)
    code = """
import os, time
time.sleep(0.3)
print(sorted(os.sched_getaffinity(0)), os.environ["CUDA_VISIBLE_DEVICES"])
time.sleep(0.5)
"""
    logs = [tmp_path / "a", tmp_path / "b"]
    handles = [executor.submit(log.name, python(code), log, 1) for log in logs]
    assert [status(handle) for handle in handles] == [0, 0]
    said = [log.read_text().strip() for log in logs]
    assert said == [f"[{cores[0]}] 4,5", f"[{cores[1]}] 6,7"]


def test_one_that_needs_all_cores_waits_for_the_others(tmp_path: Path):
    executor = LocalExecutor(2, 2, [], LOCAL_ENVIRONMENT)
    handle = executor.submit("small", python("import time; time.sleep(60)"), tmp_path / "log", 1)
    assert executor.has_room(1)
    assert not executor.has_room(2)
    terminate_all([handle])
    assert executor.has_room(2)
    assert executor.has_room(64)  # more than there are: all of them will do


def test_gpus_are_those_that_one_may_use(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-7")
    assert visible_gpus() == ["2", "GPU-7"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == []


def test_without_slurm_there_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    pytest.importorskip("submitit")
    with pytest.raises(T5MixError, match="--executor slurm needs SLURM's srun, which is not on the PATH"):
        SubmititExecutor("slurm", tmp_path, 2, 0, {}, {})
    with pytest.raises(T5MixError, match="no_such_option"):
        SubmititExecutor("local", tmp_path, 2, 0, {}, {"no_such_option": 1})


@pytest.mark.parametrize(
    ("executor", "package", "extra"),
    [("ray", "ray", "ray"), ("slurm", "submitit", "slurm"), ("submitit-local", "submitit", "slurm")],
)
def test_a_missing_package_is_named(executor: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    message = rf"--executor {executor} needs the package {package}: pip install 't5mix\[{extra}\]'\."
    with pytest.raises(T5MixError, match=message):
        check_executor(executor)
    check_executor("local")
