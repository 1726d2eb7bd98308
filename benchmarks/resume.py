"""A run killed with SIGKILL at random moments and started again each time, against one that nobody disturbed.

    python benchmarks/resume.py [--kills 10] [--seed 0] [--case NAME ...] [--work DIR] [KEY=VALUE ...]

Trains on the demo's text and tasks together (`demo_all`: span corruption, drawn anew each epoch, is in it), under each
of some mixing strategies and fine-tuning policies. Compares every logged loss and proportion and every parameter bit
for bit and writes results/resume.json.
"""

import argparse
import json
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from provenance import save

from t5mix.runs.load import load_model
from t5mix.tracking.metrics_file import read_lines
from t5mix.tracking.run_directory import RunDirectory

SETTINGS = (
    "mixture=[demo_all]",
    "model=tiny",
    "training.steps=600",
    "training.batch_size=8",
    "training.log_every=7",
    "training.checkpoint_every=25",
    "training.evaluate_every=150",
    "lengths.targets=48",
)
CASES = {
    "proportional": ["mixing=proportional"],
    "odm": ["mixing=odm"],
    "unimax": ["mixing=unimax", "mixing.max_epochs=1"],
    "gradual unfreezing": [  # phases from the steps 0, 150, 300 and 450 on
        *("finetuning=gradual_unfreezing", "model.num_layers=4", "model.num_decoder_layers=4", "optimizer=adamw"),
    ],
    "bank": ["finetuning=per_task", "finetuning.shared=true", "optimizer=adamw", "start_from={base}"],
}
BASE_STEPS = 50
TIMES = {"seconds", "tokens_per_second"}


def main() -> None:
    """Runs all cases, reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--case", action="append", choices=CASES, help="may be repeated; by default all")
    parser.add_argument("--work", type=Path)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp(prefix="t5mix-resume-"))
    command = [sys.executable, "-m", "t5mix.cli.main", "train", *SETTINGS, f"store_dir={work / 'stores'}"]
    command += options.overrides
    figures = {}
    for case in options.case or CASES:
        print(f"{case}:", flush=True)
        folder = work / case.replace(" ", "_")
        settings = [each.replace("{base}", str(folder / "base")) for each in CASES[case]]
        if settings != CASES[case]:
            subprocess.run([*command, f"run_dir={folder / 'base'}", f"training.steps={BASE_STEPS}"], check=True)
        figures[case] = compare([*command, *settings], folder, options.kills, random.Random(options.seed))
    print(save("resume", figures))
    sys.exit(not all(case["logs_equal"] and not case["different"] for case in figures.values()))


def compare(command: list[str], work: Path, kills: int, draw: random.Random) -> dict[str, Any]:
    """Runs one case undisturbed and killed again and again, and compares."""
    subprocess.run([*command, f"run_dir={work / 'whole'}"], check=True)
    windows = [line for line in read_lines(work / "whole" / "metrics.jsonl") if line["kind"] == "train"]
    seconds = statistics.median(line["seconds"] for line in windows)
    steps = []
    for target in sorted(draw.uniform(0, windows[-1]["step"]) for _ in range(kills)):
        process = subprocess.Popen([*command, f"run_dir={work / 'killed'}"])
        while _logged(work / "killed") < target and process.poll() is None:
            time.sleep(0.05)
        time.sleep(draw.uniform(0, seconds))  # anywhere in the window that follows
        alive = process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        steps.append(_logged(work / "killed"))
        done = "" if alive else ", and the run had ended"
        print(f"kill {len(steps)}: the last logged step is {steps[-1]}{done}", flush=True)
    subprocess.run([*command, f"run_dir={work / 'killed'}"], check=True)

    logs = [_log(work / name) for name in ("whole", "killed")]
    params = [load_model(work / name).params for name in ("whole", "killed")]
    different = [n for n in params[0] if not np.array_equal(np.asarray(params[0][n]), np.asarray(params[1][n]))]
    verdict = f"{len(different)} of them different" if different else "all bit for bit the same"
    print(
        f"{len(logs[0])} log lines, losses and proportions {'equal' if logs[0] == logs[1] else 'DIFFER'}; "
        f"{len(params[0])} parameters, {verdict}",
        flush=True,
    )
    return {"kills": steps, "log_lines": len(logs[0]), "logs_equal": logs[0] == logs[1], "different": different}


def _logged(run: Path) -> int:
    """Returns the last logged step."""
    lines = list(read_lines(run / "metrics.jsonl"))
    return lines[-1]["step"] if lines else 0


def _log(run: Path) -> list[str]:
    lines = read_lines(RunDirectory(run).metrics)
    return [json.dumps({key: value for key, value in line.items() if key not in TIMES}) for line in lines]


if __name__ == "__main__":
    main()
