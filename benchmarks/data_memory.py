"""Resident memory of the data side (stores, stream, plan, fill, prefetch) of a run that was made before.

    python benchmarks/data_memory.py RUN [--batches 500]

RUN is a run's folder, such as that of real_input.py. Nothing but the data side is loaded. Writes
results/data_memory.json.
"""

import argparse
import contextlib
import json
from pathlib import Path

import numpy as np
import psutil

from t5mix.data.manifest import DataManifest
from t5mix.data.packing import BatchShape
from t5mix.data.pipeline import task_data, training_batches
from t5mix.data.prefetch import Prefetcher
from t5mix.data.prepare_client import ShardCache


def main() -> None:
    """Measures before and after."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--batches", type=int, default=500)
    options = parser.parse_args()
    manifest = DataManifest.load(options.run / "data_manifest.json")
    training = json.loads((options.run / "experiment.json").read_text())["experiment"]["training"]
    before = psutil.Process().memory_info().rss
    sizes = np.asarray([task.splits["train"].counts.examples for task in manifest.tasks], float)
    shape = BatchShape(
        rows=training["batch_size"], inputs=manifest.request.inputs_length, targets=manifest.request.targets_length
    )
    peak = children = 0
    with contextlib.closing(ShardCache(manifest)) as shards:
        tasks = [task_data(task, shards) for task in manifest.tasks]
        batches = Prefetcher(training_batches(tasks, shape, seed=0, proportions=lambda step: sizes / sizes.sum()), 2)
        for _ in range(options.batches):
            next(batches)
            peak = max(peak, psutil.Process().memory_info().rss - before)
            held = [p.memory_info().rss for p in psutil.Process().children(recursive=True) if p.is_running()]
            children = max(children, sum(held))
        batches.close()
    from provenance import save

    figures = {"batches": options.batches, "data_side_bytes": peak, "epoch_child_bytes": children}
    print(f"data side {peak / 2**20:.0f} MiB, after {options.batches} batches")
    if children:
        print(f"while an epoch of a random task was drawn, a process of its own held {children / 2**20:.0f} MiB")
    print(save("data_memory", figures))


if __name__ == "__main__":
    main()
