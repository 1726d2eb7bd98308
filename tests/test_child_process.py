"""A child and its parent's end."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

MODULE = """
import os, sys, time
print(os.getpid(), flush=True)
if sys.argv[1] == "answer":
    print(sys.stdin.readline().strip(), flush=True)
    sys.exit(7)
time.sleep(60)
"""
PARENT = """
import pathlib, sys, time
from t5mix.subprocesses import Child, Worker
started = Child("a_child", ["wait"], pathlib.Path("out.json")), Worker("a_child", ["wait"])
print(*(child._process.pid for child in started), flush=True)
time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "a_child.py").write_text(MODULE)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *(path for path in sys.path if path)]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def start(how: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "t5mix.child_process", "a_child", how]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert int(process.stdout.readline()) == process.pid
    return process


def test_a_child_reads_its_input_and_is_deaf_to_ctrl_c(folder: Path):
    with start("answer") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        os.kill(process.pid, signal.SIGINT)
        process.stdin.write("what it was sent\n")
        process.stdin.flush()
        assert process.stdout.readline() == "what it was sent\n"
        assert process.wait(30) == 7


def test_a_child_ends_when_its_input_is_closed(folder: Path):
    with start("wait") as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == -signal.SIGTERM


def test_children_end_with_a_parent_that_is_killed(folder: Path):
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        children = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        assert {os.getpgid(child.pid) for child in children}.isdisjoint({os.getpgid(parent.pid)})
        parent.kill()
    left = psutil.wait_procs(children, timeout=30)[1]
    assert left == []
