"""How Ctrl-C and SIGTERM end a program: with one line, status 130 or 143, and nothing half-written.

The first signal raises KeyboardInterrupt where the program is, and what it has opened closes in good order. The process
is left at once where that would not work: while a module is loaded, which may take the exception for a failure of its
own; before and after the command; when a second signal comes; when closing takes too long.

Leaving is `os._exit`. Python's own shutdown would take the interpreter from under the threads of XLA and TensorFlow
that still compute, and those crash.
"""

import atexit
import contextlib
import logging
import os
import select
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

unfinished: set[Path] = set()
"""Files and folders that are worthless unless the program goes on; leaving removes them."""

advice = ""
"""How to go on with the command, a sentence, for the end of the line that says that it was interrupted."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SAME_SECONDS = 0.2  # `timeout` and others send a signal to a process and to its group: that is one
_BEGIN_SECONDS = 3.0  # the main thread may be in native code, compiling for instance, and hear nothing
_CLOSE_SECONDS = 20.0  # a child that is told to end may take half of it

_leaving = threading.RLock()  # a handler may find its own thread on the way out
_stderr = 2
_program = ""
_raised: int | None = None  # the signal that raised KeyboardInterrupt


def take_over(program: str) -> None:
    """Makes SIGINT and SIGTERM end this process; called once, in the main thread, before anything that takes time.

    Args:
        program: its name, for the line that says how it ended.
    """
    global _program, _stderr
    _program = program
    _stderr = os.dup(2)  # as it is now: loading TensorFlow redirects it
    sys.unraisablehook = _unraisable
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reader,), name="signals", daemon=True).start()
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as in the background of a script
            signal.signal(number, _leave_at_once)
    atexit.register(_ignore_signals)  # the first to be registered is the last to be called
    os.register_at_fork(after_in_child=_let_go)


def run_program(program: str, command: Callable[[], int]) -> NoReturn:
    """Runs a command as this process, which ends with the status that it returns, or with that of a signal."""
    take_over(program)
    try:
        status = command()
    except BaseException as error:
        number = None if isinstance(error, SystemExit) else signal_of(error)
        if number is None:
            raise
        with contextlib.suppress(OSError, ValueError):  # its reader may have been interrupted too
            sys.stdout.flush()
        leave(number)
    sys.exit(status)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """A context that a signal ends with KeyboardInterrupt(number), in a process that `take_over` was called for."""
    global advice
    advice = ""  # of a command before this one
    ours = [number for number in _SIGNALS if signal.getsignal(number) is _leave_at_once]
    try:
        for number in ours:
            signal.signal(number, _raise)
        yield
    finally:
        for number in ours:
            signal.signal(number, _leave_at_once)


def interrupted(program: str) -> str:
    """Returns the line that says how a program ended, and how to go on."""
    return f"{program}: interrupted{advice and f'. {advice}'}"


def signal_of(error: BaseException) -> int | None:
    """Returns the signal that an error comes from, or None: native code makes other errors of KeyboardInterrupt."""
    if isinstance(error, KeyboardInterrupt):
        return int(error.args[0]) if error.args else signal.SIGINT
    return _raised


def leave(number: int) -> NoReturn:
    """Ends the process with the status of a signal, whatever its threads do."""
    global _program
    if not _leaving.acquire(blocking=False):
        time.sleep(_CLOSE_SECONDS)  # another thread is about to end the process
    for path in list(unfinished):
        shutil.rmtree(path, ignore_errors=True)
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
    line, _program = f"{interrupted(_program)}\n".encode() if _program else b"", ""
    with contextlib.suppress(OSError):
        os.write(_stderr, (b"\x1b[?25h" if os.isatty(_stderr) else b"") + line)  # a progress bar hides the cursor
    os._exit(128 + number)


def _leave_at_once(number: int, frame: FrameType | None) -> None:
    leave(number)


def _ignore_signals() -> None:
    """The program is done and takes itself down, which takes a moment; Python would give up its handlers meanwhile."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _let_go() -> None:
    """What a library forks has its own end, and no say in this process's."""
    signal.set_wakeup_fd(-1)
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def _raise(number: int, frame: FrameType | None) -> None:
    global _raised
    if _loads_a_module(frame):
        leave(number)
    _raised = number
    sys.excepthook = threading.excepthook = _say_nothing
    logging.disable()
    raise KeyboardInterrupt(number)


def _say_nothing(*error: object) -> None:
    """Takes no notice of what the threads of libraries miss while the program is taken down."""


def _loads_a_module(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False


def _unraisable(unraisable: Any) -> None:
    """Leaves if KeyboardInterrupt was raised where Python drops exceptions, such as in a destructor."""
    if isinstance(unraisable.exc_value, KeyboardInterrupt):
        leave(signal_of(unraisable.exc_value) or signal.SIGINT)
    sys.__unraisablehook__(unraisable)


def _watch(reader: int) -> None:
    """Leaves for the main thread where it does not: at a second signal, and when the first one's time is up."""
    first, until, number = None, None, signal.SIGINT
    while True:
        left = None if until is None else max(0.0, until - time.monotonic())
        if select.select([reader], [], [], left)[0]:
            received = os.read(reader, 1)[0]
            if received not in _SIGNALS:
                continue
            number, now = signal.Signals(received), time.monotonic()
            if first is None:
                first = now
                # A command with a handler of its own takes the time it needs, such as for a checkpoint.
                until = now + _BEGIN_SECONDS if signal.getsignal(number) in (_raise, _leave_at_once) else None
            elif now - first > _SAME_SECONDS:
                leave(number)
        elif _raised is not None and first is not None and time.monotonic() < first + _CLOSE_SECONDS:
            until = first + _CLOSE_SECONDS
        else:
            leave(number)
