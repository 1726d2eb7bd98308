"""The same run on one process and on several: every global batch byte for byte, and the losses.

    python benchmarks/hosts.py [--processes 2 4] [--steps 200] [--work DIR] [KEY=VALUE ...]

Trains on the demo's text and tasks together (`demo_all`: span corruption, drawn anew each epoch, is in it), really in
that many processes of this machine. Each hashes the rows of every batch that it is given, in blocks; the parent
compares block by block with the run on one process and writes results/hosts.json.
"""

import argparse
import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from provenance import save

from t5mix.config.compose import compose_experiment
from t5mix.config.reading import read_experiment
from t5mix.data.pipeline import TrainBatch
from t5mix.runs.train import train_experiment
from t5mix.tracking.metrics_file import read_lines
from t5mix.training import trainer

ROWS = 8
SETTINGS = (
    "mixture=[demo_all]",
    "model=tiny",
    f"training.batch_size={ROWS}",
    "training.log_every=10",
    "training.checkpoint_every=100",
    "training.evaluation_examples=64",
    "lengths.targets=48",
    "mesh.data=-1",
)
SECONDS = 1800


def main() -> None:
    """Runs all, compares, reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, nargs="+", default=[2])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--worker", nargs=2, metavar=("FILE", "BLOCKS"), help=argparse.SUPPRESS)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    options = parser.parse_args()
    if options.worker:
        _train(Path(options.worker[0]), int(options.worker[1]), options.overrides)
        return
    work, blocks = options.work or Path(tempfile.mkdtemp(prefix="t5mix-hosts-")), max(options.processes)
    settings = [*SETTINGS, f"training.steps={options.steps}", f"store_dir={work / 'stores'}", *options.overrides]
    runs = {count: _run(count, blocks, work, settings) for count in (1, *options.processes)}
    places = {(step, block) for step in range(options.steps) for block in range(blocks)}
    figures: dict[str, Any] = {
        "steps": options.steps,
        "rows": ROWS,
        "blocks": blocks,
        "settings": [*SETTINGS, *options.overrides],
    }
    one = runs.pop(1)
    for count, run in runs.items():
        equal = sum(run["blocks"].get(place) == one["blocks"][place] for place in places)
        apart = max(abs(a - b) / b for a, b in zip(run["losses"], one["losses"], strict=True))
        figures[f"{count} processes"] = {
            "blocks": len(places),
            "equal": equal,
            "losses_within": apart,
        }
        print(f"{count} processes: {equal} of {len(places)} blocks of rows equal; losses within {apart:.1e}")
    print(save("hosts", figures))
    sys.exit(any(figures[f"{count} processes"]["equal"] < len(places) for count in runs))


def _run(count: int, blocks: int, work: Path, settings: list[str]) -> dict[str, Any]:
    """Trains in so many processes and returns what they saw."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        coordinator = f"127.0.0.1:{free.getsockname()[1]}"
    children = []
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": "1"}
    try:
        for process in range(count):
            command = [sys.executable, __file__, "--worker", str(work / f"{count}-{process}.jsonl"), str(blocks)]
            place = f"distributed={{coordinator:'{coordinator}',processes:{count},process:{process}}}"
            command += [*settings, f"run_dir={work / f'run-{count}'}", *([place] if count > 1 else [])]
            children.append(subprocess.Popen(command, env=environment))
        codes = [child.wait(SECONDS) for child in children]
    finally:
        for child in children:
            child.kill()
    if any(codes):
        sys.exit(f"{count} processes ended with {codes}")
    seen: dict[tuple[int, int], str] = {}
    for process in range(count):
        for line in (work / f"{count}-{process}.jsonl").read_text("utf-8").splitlines():
            step, block, digest = json.loads(line)
            assert (step, block) not in seen, f"two processes have block {block} of step {step}"
            seen[step, block] = digest
    losses = [line["loss"] for line in read_lines(work / f"run-{count}" / "metrics.jsonl") if line["kind"] == "train"]
    return {"blocks": seen, "losses": losses}


def _train(file: Path, blocks: int, overrides: list[str]) -> None:
    """Trains, and writes a hash of each block of rows of each batch on its way to the devices."""
    original = trainer.training_batches

    def hashed(*arguments: Any, rows: slice, **options: Any) -> Iterator[TrainBatch]:
        block_rows = ROWS // blocks
        with open(file, "w", encoding="utf-8", buffering=1) as out:
            for batch in original(*arguments, rows=rows, **options):
                for first in range(rows.start, rows.stop, block_rows):
                    digest = hashlib.sha256()
                    for name, array in sorted(batch.arrays.items()):
                        digest.update(name.encode() + array[first - rows.start :][:block_rows].tobytes())
                    out.write(json.dumps([batch.step, first // block_rows, digest.hexdigest()]) + "\n")
                yield batch

    trainer.training_batches = hashed  # type: ignore[assignment]
    assert train_experiment(read_experiment(compose_experiment(overrides=overrides))).finished


if __name__ == "__main__":
    main()
