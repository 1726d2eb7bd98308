"""Signals: what a program does that one ends, wherever it is."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

BEGIN = """
import contextlib, ctypes, os, pathlib, signal, sys, threading, time
from t5mix import interrupts
"""
ORDERLY = """
interrupts.take_over("t5mix")
draft = pathlib.Path(sys.argv[1])
draft.write_text("half")
interrupts.unfinished.add(draft)
def ready(text="ready"):
    print(text, flush=True)
def wait():
    ready()
    time.sleep(60)
try:
    with interrupts.interruptible():
        {command}
except KeyboardInterrupt as error:
    ready("closed")
    interrupts.leave(interrupts.signal_of(error))
"""
# The main thread lets the other one have the signal, as native code that nothing can wake would.
NATIVE = (
    "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM]); "
    "threading.Timer(0.3, ready).start(); ctypes.CDLL(None).sleep(60)"
)
DROPPED = "type('Old', (), {'__del__': lambda self: wait()})(); ready('goes on'); time.sleep(60)"
SWALLOWED = "sys.path.insert(0, os.path.dirname(sys.argv[1])); import a_module_that_hides_what_went_wrong"
CLOSING = "stack = contextlib.ExitStack(); stack.callback(wait)\n        with stack: wait()"
FORKS = (
    "r, w = os.pipe(); pid = os.fork() or (os.write(w, b'.'), time.sleep(60)); os.read(r, 1); "
    "os.kill(pid, 15); ready(os.waitpid(pid, 0)[1]); wait()"
)
OWN = "signal.signal(signal.SIGINT, lambda *_: ready('mine')); wait(); time.sleep(60)"


def run(
    tmp_path: Path, command: str, *signals: signal.Signals, before: str = "", advice: str = ""
) -> tuple[int, list[str]]:
    """Sends signals to a program, each after a line of its own; returns its status and the lines."""
    draft = tmp_path / "draft"
    code = f"{BEGIN}{before}{ORDERLY.replace('{command}', command)}"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(draft)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines = []
        for number in signals:
            lines.append(process.stdout.readline().strip())
            os.kill(process.pid, number)
        lines += process.stdout.read().split("\n")[:-1]
        assert process.stderr.read() == f"t5mix: interrupted{advice}\n"
    assert not draft.exists()
    return process.returncode, lines


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_closes_what_is_open(tmp_path: Path, number: signal.Signals, status: int):
    assert run(tmp_path, "wait()", number) == (status, ["ready", "closed"])


def test_what_is_missed_on_the_way_out_is_not_reported(tmp_path: Path):
    """As by threads of native libraries, which report an error of Python where nobody can catch it."""
    report = "lambda: sys.excepthook(RuntimeError, RuntimeError('Event loop is closed'), None)"
    command = f"stack = contextlib.ExitStack(); stack.callback({report})\n        with stack: wait()"
    assert run(tmp_path, command, signal.SIGINT) == (130, ["ready", "closed"])


def test_while_a_module_loads_the_program_leaves_at_once(tmp_path: Path):
    module = (
        "import __main__\ntry:\n    __main__.wait()\nexcept BaseException:\n    raise ImportError('no numpy') from None"
    )
    (tmp_path / "a_module_that_hides_what_went_wrong.py").write_text(module)
    assert run(tmp_path, SWALLOWED, signal.SIGINT) == (130, ["ready"])


def test_an_exception_that_python_would_drop_ends_the_program(tmp_path: Path):
    assert run(tmp_path, DROPPED, signal.SIGTERM) == (143, ["ready"])


def test_native_code_does_not_keep_the_program(tmp_path: Path):
    soon = "interrupts._BEGIN_SECONDS = 0.1"
    assert run(tmp_path, NATIVE, signal.SIGINT, before=soon) == (130, ["ready"])


@pytest.mark.parametrize("command", [NATIVE, "wait()", SWALLOWED])
def test_the_last_line_says_how_to_go_on(tmp_path: Path, command: str):
    module = tmp_path / "a_module_that_hides_what_went_wrong.py"
    module.write_text("import __main__\n__main__.wait()")
    before = "interrupts._BEGIN_SECONDS = 0.1\n"
    goes_on = "interrupts.advice = 'Go on.'; "
    status, _ = run(tmp_path, goes_on + command, signal.SIGTERM, before=before, advice=". Go on.")
    assert status == 143


def test_closing_does_not_keep_the_program(tmp_path: Path):
    soon = "interrupts._BEGIN_SECONDS = 0.1; interrupts._CLOSE_SECONDS = 0.5"
    assert run(tmp_path, CLOSING, signal.SIGINT, before=soon) == (130, ["ready", "ready"])


def test_a_second_signal_ends_at_once(tmp_path: Path):
    soon = "interrupts._SAME_SECONDS = 0"
    status, lines = run(tmp_path, CLOSING, signal.SIGINT, signal.SIGINT, before=soon)
    assert (status, lines[:2]) == (130, ["ready", "ready"])  # the main thread may come to its own end first


def test_a_command_with_its_own_handler_has_its_time_until_the_second_signal(tmp_path: Path):
    soon = "interrupts._SAME_SECONDS = interrupts._BEGIN_SECONDS = 0"
    status, lines = run(tmp_path, OWN, signal.SIGINT, signal.SIGINT, before=soon)
    assert status == 130
    assert lines[:2] == ["ready", "mine"]


def test_a_signal_that_is_ignored_stays_so(tmp_path: Path):
    ignored = "signal.signal(signal.SIGINT, signal.SIG_IGN)"
    twice = "ready(); wait()"
    assert run(tmp_path, twice, signal.SIGINT, signal.SIGTERM, before=ignored) == (143, ["ready", "ready", "closed"])


def test_the_end_of_a_fork_is_not_that_of_the_program(tmp_path: Path):
    soon = "interrupts._BEGIN_SECONDS = 0"
    status, lines = run(tmp_path, FORKS, signal.SIGINT, before=soon)
    assert (status, lines[0]) == (130, "15")


def test_a_program_that_is_done_ends_well():
    code = f"{BEGIN}interrupts.take_over('t5mix')\natexit._run_exitfuncs()\nprint(flush=True)\nsys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", f"import atexit{code}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.kill(process.pid, signal.SIGTERM)
        process.communicate()
    assert process.returncode == 0


def test_other_errors_of_an_interrupt_are_known(monkeypatch: pytest.MonkeyPatch):
    from t5mix import interrupts

    assert interrupts.signal_of(KeyboardInterrupt()) == signal.SIGINT
    assert interrupts.signal_of(KeyboardInterrupt(15)) == signal.SIGTERM
    assert interrupts.signal_of(SystemError("returned a result with an exception set")) is None
    monkeypatch.setattr(interrupts, "_raised", signal.SIGTERM)
    assert interrupts.signal_of(SystemError("returned a result with an exception set")) == signal.SIGTERM
