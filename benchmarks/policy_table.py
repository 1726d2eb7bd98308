"""Every fine-tuning policy on the demo's tasks, from one pre-trained checkpoint: parameters, step time, memory, scores.

    python benchmarks/policy_table.py [--work DIR] [--only NAME ...] [KEY=VALUE ...]

Trains the base once and then each policy on top of it through `t5mix train`, with one seed and a learning rate that was
chosen by hand: it shows what policies cost and that they learn, not which is best. Writes results/policy_table.json and
the table in docs/results/finetuning.md. Nothing else should run on the machine while it does.
"""

import argparse
import itertools
import json
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from provenance import save

from t5mix.runs.deltas import inspect_checkpoint
from t5mix.tracking.metrics_file import read_lines
from t5mix.tracking.run_directory import RunDirectory, find_checkpoint

BASE = (
    "mixture=[demo_all]",
    "mixing=temperature",
    "mixing.temperature=2",
    "training.steps=400",
    "training.batch_size=16",
)
SETTINGS = (
    *("mixture=[demo]", "mixing=temperature", "mixing.temperature=2", "training.steps=150", "training.batch_size=16"),
    *("training.log_every=25", "start_from={work}/base", "schedule.warmup_steps=20"),
)
POLICIES = {
    "full": ["finetuning=full", "schedule.learning_rate=1e-3"],
    "adapter, d=32": ["finetuning=adapter", "finetuning.dim=32", "schedule.learning_rate=3e-3"],
    "houlsby, d=32": ["finetuning=houlsby", "finetuning.dim=32", "schedule.learning_rate=3e-3"],
    "pfeiffer, d=32": ["finetuning=pfeiffer", "finetuning.dim=32", "schedule.learning_rate=3e-3"],
    "lora, r=8": ["finetuning=lora", "schedule.learning_rate=3e-3"],
    "dora, r=8": ["finetuning=lora", "finetuning.dora=true", "schedule.learning_rate=3e-3"],
    "ia3": ["finetuning=ia3", "schedule.learning_rate=1e-2"],
    "prompt, P=20": ["finetuning=prompt", "finetuning.length=20", "schedule.learning_rate=3e-2"],
    "prefix, P=16": ["finetuning=prefix", "schedule.learning_rate=1e-2"],
    "layer_norms": ["finetuning=layer_norms", "schedule.learning_rate=1e-2"],
    "regex, decoder's attention": [
        "finetuning=regex",
        "finetuning.train=['decoder/.*attention/.*']",
        "schedule.learning_rate=1e-3",
    ],
    "feature_based, last block": ["finetuning=feature_based", "schedule.learning_rate=1e-3"],
    "gradual_unfreezing": ["finetuning=gradual_unfreezing", "schedule.learning_rate=1e-3"],
    "gradual_unfreezing, output end": [
        *("finetuning=gradual_unfreezing", "finetuning.embedding=output", "schedule.learning_rate=1e-3"),
    ],
    "discriminative": ["finetuning=discriminative", "schedule.learning_rate=2e-3"],
    "per_task, lora r=4, and one shared": [
        *("finetuning=per_task", "finetuning.policy={kind: lora, rank: 4}", "finetuning.shared=true"),
        "schedule.learning_rate=3e-3",
    ],
}
PAGE = Path(__file__).parents[1] / "docs" / "results" / "finetuning.md"


def main() -> None:
    """Trains and evaluates all of them, and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--only", action="append", choices=POLICIES, help="may be repeated; by default all")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp(prefix="t5mix-policies-"))
    train(work / "base", [*BASE, *options.overrides])
    rows = {"the base, as it is": row(work / "base", evaluate(work / "base", tasks_only=True))}
    for name, settings in POLICIES.items():
        if options.only and name not in options.only:
            continue
        run = work / re.sub(r"\W+", "_", name)
        train(run, [setting.replace("{work}", str(work)) for setting in (*SETTINGS, *settings, *options.overrides)])
        rows[name] = row(run, evaluate(run))
        print(name, rows[name], flush=True)
    settings = {"base": BASE, "all": SETTINGS, "policies": POLICIES, "overrides": options.overrides}
    if not options.only:
        PAGE.write_text(page(rows), encoding="utf-8")
    print(PAGE, save("policy_table", {"settings": settings, "results": rows}))


def train(run: Path, settings: list[str]) -> None:
    """Trains one run from the command line."""
    command = [sys.executable, "-m", "t5mix.cli.main", "train", "--config", "quickstart_pretrain", f"run_dir={run}"]
    subprocess.run([*command, *settings], check=True)


def evaluate(run: Path, *, tasks_only: bool = False) -> dict[str, Any]:
    """Scores one run from the command line."""
    tasks = [task.name for task in RunDirectory(run).manifest().tasks if task.metrics]  # type: ignore[union-attr]
    command = [sys.executable, "-m", "t5mix.cli.main", "eval", str(run), "--json"]
    only = ["--tasks", *tasks] if tasks_only else []
    return json.loads(subprocess.run([*command, *only], check=True, capture_output=True, text=True).stdout)


def row(run: Path, scores: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Returns a policy's figures."""
    result: Any = RunDirectory(run).result()
    windows = [line for line in read_lines(RunDirectory(run).metrics) if line["kind"] == "train"][1:]
    steps = [(line["step"] - before["step"], line["seconds"]) for before, line in itertools.pairwise(windows)]
    main_metrics = {task: next(v for k, v in metrics.items() if k not in _LOSSES) for task, metrics in scores.items()}
    return {
        "trained": result["parameters"]["trained"],
        "total": result["parameters"]["total"],
        "held": inspect_checkpoint(find_checkpoint(run)).saved,
        "step_seconds": statistics.median(seconds / count for count, seconds in steps),
        "peak_memory_bytes": result["peak_memory_bytes"],
        "loss": statistics.mean(metrics["loss"] for metrics in scores.values()),
        "score": statistics.mean(main_metrics.values()),
        "scores": main_metrics,
    }


_LOSSES = ("loss", "token_accuracy")


def page(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns the page with the tables."""
    tasks = list(rows["full"]["scores"])
    lines = ["| policy | trained | share | ms a step | peak MiB | loss | score |", "| --- |" + " ---: |" * 6]
    detail = [
        f"| policy | {' | '.join(task.removeprefix('demo_') for task in tasks)} |",
        "| --- |" + " ---: |" * len(tasks),
    ]
    for name, figures in rows.items():
        base = name not in POLICIES
        trained = "-" if base else f"{figures['trained']:,}"
        share = "-" if base else f"{figures['trained'] / figures['total']:.2%}"
        lines.append(
            f"| {name} | {trained} | {share} | {1000 * figures['step_seconds']:.0f} | "
            f"{figures['peak_memory_bytes'] / 2**20:,.0f} | {figures['loss']:.3f} | {figures['score']:.1f} |"
        )
        scores = " | ".join(f"{figures['scores'][task]:.1f}" for task in tasks)
        detail.append(f"| {name} | {scores} |")
    settings = "\n".join(f"| {name} | `{' '.join(overrides)}` |" for name, overrides in POLICIES.items())
    return f"""# Fine-tuning policies on the demo's tasks

One small model was pre-trained on the demo world's text and tasks together. Each policy continues from that checkpoint
on the ten tasks, for the same number of steps on the same data. There is one seed, and learning rates were chosen by
hand. The table shows what policies cost and that they learn. [Studies](studies/README.md), with tuned learning rates,
several seeds and intervals, compare them.

    python benchmarks/policy_table.py

trains the base with `t5mix train --config quickstart_pretrain {" ".join(BASE)}` and the policies with
`{" ".join(SETTINGS[:-2])} {SETTINGS[-1]}` and `start_from=` the base, scores them with `t5mix eval` on the validation
splits, and writes this page.

- Loss is in nats a token. Score is the tasks' first metric. Both are means over the tasks.
- Memory is that of the whole process, Python and JAX included.
- The base's time and memory are those of its own training.
- The times of gradual unfreezing include the next phase's compilation, which runs beside the steps: with 50 steps per
  phase it hardly ever stops.

{chr(10).join(lines)}

The tasks' first metrics:

{chr(10).join(detail)}

| policy | settings |
| --- | --- |
{settings}
"""


if __name__ == "__main__":
    main()
