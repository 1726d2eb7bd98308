"""A source of ten million examples that is streamed: time to the first step, and memory beyond what the model takes.

    python benchmarks/huge_stream.py [--work DIR] [--files 400] [--lines 25000] [--steps 300]

Writes the source as text files, and runs `t5mix train` on it, with a model so small that the data side is what is
measured: first on a task of a few hundred examples, then on the streamed one, over several of its pieces. Then trains
with span corruption on a small streamed source over the ends of its epochs, once undisturbed and once killed on the
way, and compares every logged number. Writes results/huge_stream.json.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from provenance import save
from watch import run_watched

from t5mix.cache.vocabulary_training import train_vocabulary
from t5mix.tracking.metrics_file import read_lines

WORDS = 400
MODEL = {"d_model": 32, "d_ff": 64, "d_kv": 16, "num_heads": 2, "num_layers": 1, "num_decoder_layers": 1}
TIMES = {"seconds", "tokens_per_second"}


def main() -> None:
    """Makes the sources, runs, reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--files", type=int, default=400)
    parser.add_argument("--lines", type=int, default=25_000, help="examples in a file")
    parser.add_argument("--steps", type=int, default=300)
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp(prefix="t5mix-huge-"))
    started = time.perf_counter()
    write_source(work / "huge", options.files, options.lines)
    write_source(work / "few", 1, 200)
    write_source(work / "small", 5, 8_000)
    print(f"sources written in {time.perf_counter() - started:.0f} s", flush=True)
    train_vocabulary([work / "small" / "part-00000.tsv"], work / "words.model", 512, extra_ids=100)
    base = run(work, "base", "few", steps=options.steps)
    huge = run(work, "huge", "huge", steps=options.steps, streamed=["huge"])
    epochs = over_epochs(work)
    source = {"examples": options.files * options.lines, "files": options.files, "bytes": _bytes(work / "huge")}
    huge["pieces_begun"] = 1 + huge["mixture"]["huge"]["examples"] // options.lines
    print(f"{source['examples']:,} examples, {source['bytes'] / 2**20:,.0f} MiB; {huge['pieces_begun']} pieces begun")
    above = huge["peak_bytes"] - base["peak_bytes"]
    print(f"in the training process {above / 2**20:+,.0f} MiB beside the same model on a task of 200 examples")
    figures = {"source": source, "base": base, "huge": huge, "above_base_bytes": above, "epochs": epochs}
    print(save("huge_stream", figures))


def write_source(folder: Path, files: int, lines: int) -> None:
    """Writes files of sentences of random words, each with a label that follows from them."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(0)
    letters = np.asarray(list("abcdefghijklmnopqrstuvwxyz"))
    words = ["".join(word) for word in letters[draw.integers(0, 26, (WORDS, 6))]]
    for number in range(files):
        rows = draw.integers(0, WORDS, (lines, 10)).tolist()
        text = "".join(f"{' '.join([words[i] for i in row])}\t{row[0] % 2}\n" for row in rows)
        (folder / f"part-{number:05d}.tsv").write_text(f"text\tlabel\n{text}", encoding="utf-8")


def run(work: Path, name: str, task: str, *, steps: int, streamed: list[str] | None = None) -> dict[str, Any]:
    """Trains on a task and returns what it took."""
    command = _command(work, name, task, steps, streamed or [])
    watch = _Watch(work, name)
    seconds, tree = run_watched(command)
    watch.stop()
    result = json.loads((work / "runs" / name / "result.json").read_text())
    lines = [line for line in read_lines(work / "runs" / name / "metrics.jsonl") if line["kind"] == "train"]
    figures = {
        "steps": steps,
        "seconds": seconds,
        "first_step_seconds": watch.first_step,
        "median_step_seconds": float(np.median([line["seconds"] for line in lines])),
        "longest_later_step_seconds": max(line["seconds"] for line in lines[1:]),
        "peak_bytes": result["peak_memory_bytes"],
        "peak_bytes_with_children": tree,
        "most_stores": watch.most_stores,
        "most_store_bytes": watch.most_bytes,
        "mixture": result["mixture"],
    }
    print(
        f"{name}: first step after {watch.first_step:.0f} s, {steps} steps in {seconds:.0f} s, at most "
        f"{figures['peak_bytes'] / 2**20:,.0f} MiB ({tree / 2**20:,.0f} MiB with child processes), "
        f"{watch.most_stores} stores of {watch.most_bytes / 2**20:,.0f} MiB at once; longest later step "
        f"{figures['longest_later_step_seconds']:.2f} s",
        flush=True,
    )
    return figures


def over_epochs(work: Path) -> dict[str, Any]:
    """Streams a small random task over several epochs, undisturbed and killed, and compares."""
    whole = run(work, "whole", "noisy", steps=200, streamed=["noisy"])
    command = _command(work, "killed", "noisy", 200, ["noisy"])
    process = subprocess.Popen(command)
    metrics = work / "runs" / "killed" / "metrics.jsonl"
    while process.poll() is None and _last_step(metrics) < 110:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    killed = _last_step(metrics)
    subprocess.run(command, check=True)
    logs = [_log(work / "runs" / name / "metrics.jsonl") for name in ("whole", "killed")]
    print(f"killed after step {killed} and resumed: logs {'equal' if logs[0] == logs[1] else 'DIFFER'}", flush=True)
    return {"whole": whole, "killed_after_step": killed, "log_lines": len(logs[0]), "logs_equal": logs[0] == logs[1]}


class _Watch:
    """Looks at a run's folder and its stores until it is stopped.

    Attributes:
        first_step: seconds until the first step was logged.
        most_stores: the most stores of pieces at once.
        most_bytes: the most bytes of them at once, unfinished ones included.
    """

    def __init__(self, work: Path, name: str) -> None:
        self.first_step, self.most_stores, self.most_bytes = float("nan"), 0, 0
        self._metrics, self._stores = work / "runs" / name / "metrics.jsonl", work / "stores" / name
        self._stopped = threading.Event()
        self._started = time.perf_counter()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stopped.wait(0.2):
            if np.isnan(self.first_step) and _last_step(self._metrics):
                self.first_step = time.perf_counter() - self._started
            self.most_stores = max(self.most_stores, len(list(self._stores.rglob("epoch-*/meta.json"))))
            self.most_bytes = max(self.most_bytes, _bytes(self._stores))


def _command(work: Path, name: str, task: str, steps: int, streamed: list[str]) -> list[str]:
    labelled = {"inputs": "{text}", "targets": "label"}
    small = str(work / "small" / "part-*.tsv")
    tasks = {
        "few": {**labelled, "files": {"train": str(work / "few" / "part-00000.tsv")}},
        "huge": {**labelled, "files": {"train": str(work / "huge" / "part-*.tsv")}},
        "noisy": {"files": {"train": small}, "format": "text", "objective": "span_corruption"},
    }
    settings = {
        "defaults": ["experiment", "_self_"],
        "tasks": tasks,
        "vocabulary": str(work / "words.model"),
        "model": MODEL,
        "lengths": {"inputs": 128, "targets": 40},
        "training": {"batch_size": 64, "log_every": 1, "checkpoint_every": 50},
    }
    text = "".join(f"{key}: {json.dumps(value)}\n" for key, value in settings.items())
    work.joinpath("config.yaml").write_text(text, encoding="utf-8")
    return [
        *(sys.executable, "-m", "t5mix.cli.main", "train", "--config", str(work / "config.yaml")),
        f"run_dir={work / 'runs' / name}",
        f"store_dir={work / 'stores' / name}",
        f"mixture=[{task}]",
        f"streamed=[{','.join(streamed)}]",
        f"training.steps={steps}",
    ]


def _last_step(metrics: Path) -> int:
    return max((line["step"] for line in read_lines(metrics)), default=0)


def _log(metrics: Path) -> list[str]:
    lines = read_lines(metrics)
    return [json.dumps({key: value for key, value in line.items() if key not in TIMES}) for line in lines]


def _bytes(folder: Path) -> int:
    held = 0
    for file in folder.rglob("*"):
        try:
            held += file.stat().st_size if file.is_file() else 0
        except FileNotFoundError:  # deleted between the listing and the look
            continue
    return held


if __name__ == "__main__":
    main()
