"""What a result depends on besides its experiment: versions and hardware."""

import contextlib
import importlib.metadata
import os
import platform
from typing import Any

import jax

from t5mix import __version__

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "seqio", "tensorflow", "sentencepiece")


def versions() -> dict[str, str]:
    """Returns the versions of Python, t5mix and the packages that a result depends on."""
    installed = {"python": platform.python_version(), "t5mix": __version__}
    for name in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            installed[name] = importlib.metadata.version(name)
    return installed


def hardware() -> dict[str, Any]:
    """Returns what the process computes on."""
    devices = jax.devices()
    return {
        "platform": devices[0].platform,
        "device": devices[0].device_kind,
        "devices": len(devices),
        "processes": jax.process_count(),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
    }
