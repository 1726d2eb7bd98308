"""How long commands keep their users waiting: first output, longest silence, and the first step of training.

    python benchmarks/responsiveness.py                       this tree
    python benchmarks/responsiveness.py --beside OTHER_TREE   another checkout too, each command in turn
    python benchmarks/responsiveness.py --only train          the results of the other commands stay

Output goes to a pipe. All stores are warm: each command is run once before it is timed.
"""

import argparse
import dataclasses
import json
import os
import re
import selectors
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from provenance import RESULTS, save

ROOT = Path(__file__).resolve().parents[1]
RESULT = RESULTS / "responsiveness.json"
SMALL = ("training.steps=4", "training.log_every=1", "training.evaluate_every=null")
COMMANDS = {
    "help": ["--help"],
    "train": ["train", "--config", "quickstart", "run_dir={new}", *SMALL],
    "train (declared)": ["train", "--config", "own.yaml", "run_dir={new}", *SMALL],
    "eval (declared)": ["eval", "own"],
    "train --show": ["train", "--config", "demo", "--show"],
    "eval": ["eval", "run", "--tasks", "demo_sentiment"],
    "predict": ["predict", "run", "--input", "lines.txt"],
    "tasks": ["tasks"],
    "tasks check": ["tasks", "check", "letters", "--config", "own.yaml"],
    "tasks show": ["tasks", "show", "demo_sentiment"],
    "mixtures": ["mixtures"],
    "mixtures show": ["mixtures", "show", "demo", "--config", "quickstart"],
    "policy": ["policy"],
    "policy show": ["policy", "show", "lora", "model=tiny"],
    "curves": ["curves", "run"],
    "delta show": ["delta", "show", "run"],
    "delta merge": ["delta", "merge", "lora", "{new}"],
    "sweep --dry-run": ["sweep", "table10", "scale=tiny", "--dry-run"],
    "sweep (declared)": ["sweep", "own_sweep.yaml", "--out", "{new}"],
    "report": ["report", "sweep"],
    "vocab train": ["vocab", "train", "lines.txt", "--output", "lines.model", "--size", "200"],
}
"""What is timed; `{new}` is a folder that does not exist."""

OWN = """
defaults: [experiment, _self_]
mixture: [letters]
vocabulary: bytes
lengths: {inputs: 24, targets: 8}
tasks:
  letters: {files: {train: own.tsv, validation: own.tsv}, inputs: "{text}", targets: label, metrics: [accuracy]}
"""
OWN_SWEEP = """
name: own
config: own.yaml
settings: [training.steps=4]
methods:
  full: {learning_rates: [1.0e-3]}
  lora: {runs: [[finetuning=lora]], learning_rates: [1.0e-3]}
seeds: [0, 1]
tuning: null
split: validation
"""


@dataclasses.dataclass
class Waiting:
    """What the user of a command waited for, in seconds.

    Attributes:
        first: until the first output.
        longest: the longest time without any, the end included.
        first_step: until the line of the first step; None where nothing is trained.
        total: until the end.
    """

    first: float
    longest: float
    first_step: float | None
    total: float


def wait_for(tree: Path, arguments: list[str], folder: Path) -> Waiting:
    """Runs a command of a checkout and listens to both of its streams."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "XDG_CACHE_HOME": str(folder), "HOME": str(folder)}
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "t5mix.cli.main", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    heard, text, first_step = [0.0], b"", None
    with selectors.DefaultSelector() as selector:
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                more = os.read(key.fd, 1 << 16)
                if not more:
                    selector.unregister(key.fileobj)
                    continue
                heard.append(time.monotonic() - started)
                text += more
                if first_step is None and b"step 1/" in text:
                    first_step = heard[-1]
    status = process.wait()
    total = time.monotonic() - started
    if status:
        raise RuntimeError(f"{' '.join(arguments)} ended with {status}:\n{text.decode()[-2000:]}")
    gaps = [later - earlier for earlier, later in zip(heard, [*heard[1:], total], strict=True)]
    return Waiting(heard[1] if len(heard) > 1 else total, max(gaps), first_step, total)


def prepare(tree: Path, folder: Path) -> None:
    """Makes what the commands read: runs, a sweep, and a few lines of text."""
    (folder / "lines.txt").write_text("translate English to Velish: The dog sleeps.\n" * 40, encoding="utf-8")
    (folder / "own.yaml").write_text(OWN, encoding="utf-8")
    (folder / "own_sweep.yaml").write_text(OWN_SWEEP, encoding="utf-8")
    rows = (f"{chr(97 + row % 26)} {chr(97 + row % 7)}\t{row % 2}\n" for row in range(200))
    (folder / "own.tsv").write_text("text\tlabel\n" + "".join(rows), encoding="utf-8")
    made = (("train", "run"), ("train (declared)", "own"), ("sweep (declared)", "sweep"))
    for command, new in made:
        wait_for(tree, [argument.format(new=new) for argument in COMMANDS[command]], folder)
    lora = [argument.format(new="lora") for argument in COMMANDS["train (declared)"]]
    wait_for(tree, [*lora, "finetuning=lora", "start_from=own"], folder)


def main() -> None:
    """Times all commands, in this tree and in another one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beside", type=Path, help="another checkout")
    parser.add_argument("--only", nargs="+", choices=COMMANDS, default=list(COMMANDS), help="these commands")
    parser.add_argument("--repeat", type=int, default=1, help="times that each is run; the median is reported")
    options = parser.parse_args()
    trees = {"this": ROOT} | ({"beside": options.beside.resolve()} if options.beside else {})
    results: dict[str, dict[str, dict[str, float | None]]] = {}
    with tempfile.TemporaryDirectory(prefix="t5mix-waiting-") as parent:
        for name, tree in trees.items():
            (Path(parent) / name).mkdir()
            prepare(tree, Path(parent) / name)
        for command in options.only:
            for name, tree in trees.items():
                folder = Path(parent) / name
                tries = []
                try:
                    for number in range(options.repeat + 1):  # the first one warms up
                        new = f"new-{re.sub('[^a-z]', '', command)}-{number}"
                        tries.append(wait_for(tree, [part.format(new=new) for part in COMMANDS[command]], folder))
                except RuntimeError as error:
                    if name == "this":
                        raise
                    print(f"{command} ({name}): {error}", flush=True)  # it may not know the command
                    continue
                middle = sorted(tries[1:], key=lambda waiting: waiting.total)[len(tries[1:]) // 2]
                results.setdefault(command, {})[name] = dataclasses.asdict(middle)
                step = "" if middle.first_step is None else f", first step {middle.first_step:.1f} s"
                print(
                    f"{command} ({name}): first output {middle.first:.1f} s, longest silence {middle.longest:.1f} s"
                    f"{step}, {middle.total:.1f} s in all",
                    flush=True,
                )
    kept = json.loads(RESULT.read_text(encoding="utf-8"))["commands"] if RESULT.exists() else {}
    save(RESULT.stem, {"commands": {name: kept.get(name, {}) | results.get(name, {}) for name in COMMANDS}})


if __name__ == "__main__":
    main()
