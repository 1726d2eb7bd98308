"""Where the tests keep what XLA compiled for them: compiling takes a third of their time."""

import hashlib
import importlib.metadata
import platform
import shutil
from pathlib import Path

_MOST_BYTES = 500_000_000


def folder() -> Path:
    """Returns a folder in `.pytest_cache`, emptied once it is large.

    It is named after all that JAX's own key of a compiled program leaves out: the processor that it may run on.
    """
    cpu = Path("/proc/cpuinfo")
    features = (
        next((line for line in cpu.read_text().splitlines() if line.startswith("flags")), "") if cpu.exists() else ""
    )
    made_by = "\n".join([importlib.metadata.version("jaxlib"), platform.machine(), platform.processor(), features])
    path = Path(__file__).parents[2] / ".pytest_cache" / f"compiled-{hashlib.sha256(made_by.encode()).hexdigest()[:12]}"
    if path.exists() and sum(file.stat().st_size for file in path.iterdir()) > _MOST_BYTES:
        shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True, exist_ok=True)
    return path
