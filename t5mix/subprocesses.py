"""Python modules run in processes of their own, for what this process must not load.

A `Child` does one thing and ends. The two agree on one file: the child writes its result there, or {"error": text} if
it knows what is wrong, and then ends with a status other than 0. A `Worker` stays and answers one request after the
other. Both end with this process, however that ends, and Ctrl-C is not for them: this process ends them when it stops.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from t5mix.errors import T5MixError
from t5mix.files import read_json, temporary_folder

_GRACE_SECONDS = 10.0  # for a child that was told to end, to remove what it has half-written
_TAIL = 2000  # characters of a failed child's messages that the error repeats


class ProcessDiedError(T5MixError):
    """A child was ended by a signal, as the system does when memory is short: another try may fare better."""


class Child:
    """One `python -m module`, without accelerators, importing from where this process does.

    Args:
        module: the module.
        arguments: its command line; `--out FILE` is added.
        out: the file that the child writes.
        show: whether the child's messages appear on our error stream at once; else they are kept for the error.
    """

    def __init__(self, module: str, arguments: Sequence[str], out: Path, *, show: bool = False) -> None:
        self._module, self._out = module, out
        self._messages = None if show else tempfile.TemporaryFile()  # noqa: SIM115 - closed by `result`
        self._process = _start(module, [*arguments, "--out", str(out)], subprocess.DEVNULL, self._messages)

    def result(self) -> Path:
        """Waits for the child and returns the file it wrote; ends it if this process is interrupted.

        Raises:
            T5MixError: the child failed, with the error it wrote, or else the end of what it printed.
            ProcessDiedError: a signal ended it.
        """
        try:
            code = self._process.wait()
        except BaseException:
            self.end()
            raise
        finally:
            assert self._process.stdin is not None
            self._process.stdin.close()
        output = self._tail()
        if code == 0:
            return self._out
        if self._out.exists():
            raise T5MixError(read_json(self._out)["error"])
        kind = ProcessDiedError if code < 0 else T5MixError
        raise kind(f"The process {self._module} ended {_manner(code)}. {output}".rstrip())

    def send(self, line: str) -> None:
        """Writes a line to the child's standard input."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended, and `result` says why
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def end(self) -> None:
        """Ends the child, if need be by force."""
        _end(self._process)
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # a line that it did not read
            self._process.stdin.close()

    def kill(self) -> None:
        """Ends the child at once."""
        self._process.kill()
        self.end()

    def _tail(self) -> str:
        if self._messages is None:
            return "Its own messages stand above."
        text = _end_of(self._messages)
        self._messages.close()
        return text


class EarlyChild:
    """A child that is started before it is known what it has to do, as loading takes it seconds.

    It gets its orders as one line on the standard input, works in a folder of its own, and ends with the context.

    Args:
        module: the module.
        arguments: its command line.
        show: whether its messages appear on our error stream at once.
    """

    def __init__(self, module: str, arguments: Sequence[str], *, show: bool = False) -> None:
        with contextlib.ExitStack() as closing:
            self.folder = closing.enter_context(temporary_folder("t5mix-"))
            self.child = Child(module, arguments, self.folder / "out.json", show=show)
            self._asked = False
            self._closing = closing.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._asked:
            self.child.end()
        else:
            self.child.kill()  # it has nothing half-written, and may be deep in loading
        self._closing.close()

    def send(self, orders: str) -> None:
        """Says what to do."""
        self._asked = True
        self.child.send(orders)


class WorkerLeftError(T5MixError):
    """A worker had ended in good order before it was asked; another one can be started."""


class Worker:
    """One `python -m module` that stays and answers requests, each a line of JSON, for as long as this process lives.

    It gets them on its standard input and answers on its standard output: a result, or {"error": text}.

    Args:
        module: the module.
        arguments: its command line.
    """

    def __init__(self, module: str, arguments: Sequence[str]) -> None:
        self._module = module
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._process = _start(module, arguments, subprocess.PIPE, self._messages)

    @property
    def alive(self) -> bool:
        """Whether it can still be asked."""
        return self._process.poll() is None

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the answer to a request; one thread at a time may ask.

        Raises:
            WorkerLeftError: the worker has ended of its own accord.
            T5MixError: the answer is an error, or the worker has ended otherwise.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = b""
        with contextlib.suppress(OSError, ValueError):  # it ended, or `end` was called meanwhile
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        if not line.endswith(b"\n"):
            code = self._process.wait()
            kind = T5MixError if code else WorkerLeftError
            raise kind(f"The process {self._module} ended {_manner(code)}. {_end_of(self._messages)}".rstrip())
        answer = json.loads(line)
        if "error" in answer:
            raise T5MixError(answer["error"])
        return answer

    def end(self) -> None:
        """Ends the worker, if need be by force, also while another thread asks."""
        _end(self._process)

    def close(self) -> None:
        """Ends the worker and frees what this process holds of it; nobody may be asking."""
        self.end()
        for file in (self._process.stdin, self._process.stdout, self._messages):
            assert file is not None
            with contextlib.suppress(BrokenPipeError):  # a request that it did not read
                file.close()


def _start(module: str, arguments: Sequence[str], stdout: int, stderr: IO[bytes] | None) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "t5mix.child_process", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
        env=_environment(),
        process_group=0,  # Ctrl-C is for us: we may wait for an answer before we stop in good order
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _manner(code: int) -> str:
    return f"by signal {-code}" if code < 0 else f"with exit status {code}"


def _end_of(messages: IO[bytes]) -> str:
    messages.seek(0)
    return messages.read().decode("utf-8", errors="replace")[-_TAIL:].strip()


def import_path() -> str:
    """Returns the PYTHONPATH with which another process imports what this one does."""
    ours = [path for path in sys.path if path and not path.startswith((sys.prefix, sys.base_prefix))]
    inherited = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    package_root = str(Path(__file__).resolve().parents[1])
    return os.pathsep.join(dict.fromkeys([*ours, *inherited, package_root]))


def _environment() -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": import_path(),
        "CUDA_VISIBLE_DEVICES": "",
        "JAX_PLATFORMS": "cpu",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
