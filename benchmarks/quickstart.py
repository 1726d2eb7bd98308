"""`scripts/quickstart.sh` from a fresh clone, installation included: how long it takes and how much memory it holds.

    python benchmarks/quickstart.py [--work DIR]

Runs it twice, since the second call has to be quick. Writes results/quickstart.json.
"""

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

from provenance import save
from watch import run_watched

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Clones, runs twice, reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path)
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp(prefix="t5mix-quickstart-"))
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(work / "clone")], check=True)
    # A home of its own: neither pip's nor our caches make it faster than it is for a newcomer.
    env = {**os.environ, "HOME": str(work / "home"), "PIP_NO_CACHE_DIR": "1"}
    env.pop("VIRTUAL_ENV", None)
    (work / "home").mkdir()
    figures = {}
    for name in ("first", "second"):
        seconds, peak = run_watched(["bash", "scripts/quickstart.sh"], cwd=work / "clone", env=env)
        figures[name] = {"minutes": seconds / 60, "peak_memory_bytes": peak}
        print(f"{name} call: {seconds / 60:.1f} minutes, at most {peak / 2**20:,.0f} MiB", flush=True)
    print(save("quickstart", figures))


if __name__ == "__main__":
    main()
