"""Where XLA's compiled programs are kept from one process to the next: compiling takes longest of all."""

import contextlib
import hashlib
import importlib.metadata
import os
import platform
from pathlib import Path

_MOST_BYTES = 2_000_000_000


def keep_compiled_programs(parent: Path | None = None, *, least_seconds: float = 0.5) -> None:
    """Has JAX keep what it compiles, and find it again, in this process and its children; call it before JAX is loaded.

    JAX's own settings in the environment come first: another `JAX_COMPILATION_CACHE_DIR`, or
    `JAX_ENABLE_COMPILATION_CACHE=false`.

    Args:
        parent: of the folder; None for the user's cache.
        least_seconds: what compiles faster is not kept.
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    with contextlib.suppress(OSError, RuntimeError):  # no home, or none that can be written to: nothing is kept
        folder = (parent or Path("~/.cache/t5mix/compiled").expanduser()) / _machine()
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", str(least_seconds))
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "0")
        _make_room(folder)  # last: where another process deletes too, a file may be gone


def _machine() -> str:
    """Returns a name for what JAX's own key of a program leaves out: the processor, and how many cores there are."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text(encoding="utf-8").splitlines() if cpu.exists() else []
    features = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    cores = os.environ.get("NPROC") or str(os.cpu_count())
    made_for = "\n".join([importlib.metadata.version("jaxlib"), platform.machine(), cores, features])
    return hashlib.sha256(made_for.encode()).hexdigest()[:12]


def _make_room(folder: Path) -> None:
    """Deletes the oldest programs where there are too many."""
    files = sorted(((file, file.stat()) for file in folder.iterdir()), key=lambda pair: pair[1].st_mtime)
    total = sum(status.st_size for _, status in files)
    for file, status in files:
        if total <= _MOST_BYTES:
            break
        file.unlink(missing_ok=True)
        total -= status.st_size
