"""Python modules run in processes of their own, for what this process must not load.

The two agree on one file: the child writes its result there, or {"error": text} if it knows what is wrong, and then
ends with a status other than 0.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from t5mix.errors import T5MixError

_GRACE_SECONDS = 10.0  # for a child that was told to end, to remove what it has half-written
_TAIL = 2000  # characters of a failed child's messages that the error repeats


class Child:
    """One `python -m module`, without accelerators, importing from where this process does.

    Args:
        module: the module.
        arguments: its command line; `--out FILE` is added.
        out: the file that the child writes.
        show: whether the child's messages appear on our error stream at once; else they are kept for the error.
        end_with_us: whether the child watches its standard input, which closes when this process ends, however it does.
    """

    def __init__(
        self, module: str, arguments: Sequence[str], out: Path, *, show: bool = False, end_with_us: bool = False
    ) -> None:
        self._module, self._out = module, out
        self._messages = None if show else tempfile.TemporaryFile()  # noqa: SIM115 - closed by `result`
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments, "--out", str(out)],
            stdin=subprocess.PIPE if end_with_us else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._messages,
            env=_environment(),
        )

    def result(self) -> Path:
        """Waits for the child and returns the file it wrote; ends it if this process is interrupted.

        Raises:
            T5MixError: the child failed, with the error it wrote, or else the end of what it printed.
        """
        try:
            code = self._process.wait()
        except BaseException:
            self.end()
            raise
        finally:
            if self._process.stdin is not None:
                self._process.stdin.close()
        output = self._tail()
        if code == 0:
            return self._out
        if self._out.exists():
            raise T5MixError(json.loads(self._out.read_text(encoding="utf-8"))["error"])
        ended = f"by signal {-code}" if code < 0 else f"with exit status {code}"
        raise T5MixError(f"The process {self._module} ended {ended}. {output}".rstrip())

    def end(self) -> None:
        """Ends the child, if need be by force."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _tail(self) -> str:
        if self._messages is None:
            return "Its own messages stand above."
        self._messages.seek(0)
        text = self._messages.read().decode("utf-8", errors="replace")
        self._messages.close()
        return text[-_TAIL:].strip()


def _environment() -> dict[str, str]:
    ours = [path for path in sys.path if path and not path.startswith((sys.prefix, sys.base_prefix))]
    inherited = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    here = str(Path(__file__).resolve().parents[2])
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(dict.fromkeys([*ours, *inherited, here])),
        "CUDA_VISIBLE_DEVICES": "",
        "JAX_PLATFORMS": "cpu",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
