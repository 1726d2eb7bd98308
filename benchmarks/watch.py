"""Running a command while watching the memory of all its processes."""

import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil


def run_watched(
    command: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> tuple[float, int]:
    """Runs a command to its end.

    Returns:
        Seconds, and the most bytes that it and its children held at once (resident; pages that processes share count
        once for each).

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    started = time.perf_counter()
    process = psutil.Popen(list(command), cwd=cwd, env=env)
    peak = 0

    def watch() -> None:
        nonlocal peak
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            held = 0
            for member in (process, *process.children(recursive=True)):
                try:
                    held += member.memory_info().rss
                except psutil.Error:
                    continue  # ended between the listing and the look
            peak = max(peak, held)
            time.sleep(0.25)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    code = process.wait()
    watcher.join(timeout=2)
    if code:
        raise subprocess.CalledProcessError(code, list(command))
    return time.perf_counter() - started, peak
