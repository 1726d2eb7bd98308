"""What a benchmark's JSON says of the software and the machine it was measured with."""

import json
import platform
from pathlib import Path
from typing import Any

from t5mix.tracking.provenance import hardware, versions

RESULTS = Path(__file__).parent / "results"


def save(name: str, figures: dict[str, Any]) -> Path:
    """Writes a benchmark's figures with versions and hardware to `results/NAME.json` and returns the path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    about = {"versions": versions(), "hardware": {**hardware(), "cpu": _cpu()}}
    path.write_text(json.dumps({**figures, **about}, indent=1) + "\n", encoding="utf-8")
    return path


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor()
