"""One sweep undisturbed, killed at random moments, on a Ray cluster and through submitit: the same results?

    python benchmarks/sweep_same_results.py [--kills 5] [--seed 0] [--work DIR] [--only WAY ...] [SWEEP] [KEY=VALUE ...]

SWEEP is one that `t5mix sweep` takes, table10 at its tiny scale by default. The killed one is ended with SIGKILL, which
leaves its processes no warning, and started again. For Ray a local cluster of two workers is started with `ray start`.
Compares all that trials hold but times, memory and folders, bit for bit, and writes results/sweep_same_results.json.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from provenance import save

WAYS = ("killed", "ray", "submitit-local")
COMPARED = (
    "method",
    "seed",
    "learning_rate",
    "task",
    "steps",
    "parameters",
    "operations",
    "mixture",
    "curves",
    "scores",
)
PATIENCE = 30 * 60  # seconds that one sweep may take


def main() -> None:
    """Runs the sweep in all ways, reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--work", type=Path)
    parser.add_argument("--only", action="append", choices=WAYS, help="may be repeated; by default all")
    parser.add_argument("sweep", nargs="?", default="table10")
    parser.add_argument("changes", nargs="*", default=["scale=tiny"], metavar="KEY=VALUE")
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp(prefix="t5mix-sweep-"))
    command = [sys.executable, "-m", "t5mix.cli.main", "sweep", options.sweep, *options.changes, "--out"]
    seconds = {"undisturbed": run([*command, str(work / "undisturbed")])}
    expected = results(work / "undisturbed")
    figures: dict[str, Any] = {"sweep": options.sweep, "changes": options.changes, "trials": len(expected)}
    for way in options.only or WAYS:
        folder, began = work / way, time.monotonic()
        if way == "killed":
            generator = random.Random(options.seed)
            figures["killed after"] = killed([*command, str(folder)], options.kills, seconds["undisturbed"], generator)
        elif way == "ray":
            on_ray([*command, str(folder)])
        else:
            run([*command, str(folder), "--executor", way])
        seconds[way] = time.monotonic() - began
        figures[way] = {"equal": results(folder) == expected, "trials": len(results(folder))}
        print(way, figures[way], flush=True)
    print(save("sweep_same_results", {**figures, "seconds": seconds}))


def run(command: list[str]) -> float:
    """Runs a command to its end and returns the seconds it took."""
    began = time.monotonic()
    subprocess.run(command, check=True, timeout=PATIENCE)
    return time.monotonic() - began


def killed(command: list[str], kills: int, seconds: float, generator: random.Random) -> list[float]:
    """Kills a sweep so often, each time after some seconds, lets it end, and returns the seconds."""
    after = []
    for _ in range(kills):
        after.append(generator.uniform(0.05, 1.5) * seconds / kills)
        process = subprocess.Popen(command)
        try:
            process.wait(after[-1])
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        else:
            raise SystemExit(f"The sweep had ended before kill {len(after)}: too few steps.")
    run(command)
    return after


def on_ray(command: list[str]) -> None:
    """Runs a sweep on a local Ray cluster of its own, of two workers."""
    ray = shutil.which("ray", path=str(Path(sys.executable).parent)) or "ray"
    subprocess.run([ray, "start", "--head", "--num-cpus=2", "--disable-usage-stats"], check=True, timeout=PATIENCE)
    try:
        run([*command, "--executor", "ray", "--address", "auto"])
    finally:
        subprocess.run([ray, "stop"], check=True, timeout=PATIENCE)


def results(folder: Path) -> dict[str, Any]:
    """Returns what a sweep's trials found, by file."""
    found = {}
    for file in sorted((folder / "trials").iterdir()):
        trial = json.loads(file.read_text(encoding="utf-8"))
        found[file.name] = {key: trial[key] for key in COMPARED}
    return found


if __name__ == "__main__":
    main()
