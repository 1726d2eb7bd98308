"""Every mixing strategy on the demo mixture: what it drew, how often each task was seen, and where the losses ended.

    python benchmarks/mixing_table.py [--work DIR] [KEY=VALUE ...]

Trains one small model from scratch for each strategy through `t5mix train`, with one seed: it shows what strategies do,
not which is best. Writes results/mixing_table.json and the table in docs/results/mixing.md.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from provenance import save

from t5mix.mixing.base import WEIGHTS_FILE
from t5mix.tracking.run_directory import RunDirectory

SETTINGS = ("model=tiny", "training.steps=600", "training.batch_size=16", "training.log_every=100", "seed=0")
STRATEGIES = {
    "proportional": ["mixing=proportional"],
    "proportional, K=2048": ["mixing=proportional", "mixing.max_examples=2048"],
    "temperature, T=2": ["mixing=temperature", "mixing.temperature=2"],
    "temperature, T=8": ["mixing=temperature", "mixing.temperature=8"],
    "equal": ["mixing=equal"],
    "equal, in tokens": ["mixing=equal", "mixing_unit=tokens"],
    "unimax, N=2": ["mixing=unimax", "mixing.max_epochs=2"],
    "equal, capped, N=2": ["mixing=capped", "mixing.strategy=equal", "mixing.max_epochs=2"],
    "annealed_temperature": ["mixing=annealed_temperature"],
    "two_phase": ["mixing=two_phase"],
    "phases": [
        "mixing=phases",
        "mixing.strategies=[{kind: temperature, temperature: 2}, equal]",
        "mixing.starts=[0, 0.7]",
    ],
    "odm": ["mixing=odm"],
    "odm_prior": ["mixing=odm_prior", "mixing.prior={kind: temperature, temperature: 2}"],
    "odm_prior, capped, N=2": ["mixing=capped", "mixing.strategy=odm_prior", "mixing.max_epochs=2"],
    "loss_gap": ["mixing=loss_gap", "mixing.references={work}/proportional"],
    "doremi": ["mixing=doremi", "mixing.reference={work}/proportional"],
    "fixed": ["mixing=fixed", "mixing.task_weights={work}/doremi/" + WEIGHTS_FILE],
}
"""In this order: some take what the ones before them left."""

PAGE = Path(__file__).parents[1] / "docs" / "results" / "mixing.md"


def main() -> None:
    """Trains all of them, and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp(prefix="t5mix-mixing-"))
    results = {}
    for name, settings in STRATEGIES.items():
        run = work / re.sub(r"\W+", "_", name)
        chosen = [*SETTINGS, *(setting.replace("{work}", str(work)) for setting in settings), *options.overrides]
        command = [sys.executable, "-m", "t5mix.cli.main", "train", "--config", "demo", f"run_dir={run}", *chosen]
        subprocess.run(command, check=True)
        results[name] = RunDirectory(run).result()
    PAGE.write_text(page(results, options.overrides), encoding="utf-8")
    print(PAGE, save("mixing_table", {"settings": STRATEGIES, "results": results}))


def page(results: Mapping[str, Any], overrides: Sequence[str]) -> str:
    """Returns the page with the table."""
    tasks = sorted(
        results["proportional"]["mixture"], key=lambda task: -results["proportional"]["mixture"][task]["size"]
    )
    sizes = {task: results["proportional"]["mixture"][task]["size"] for task in tasks}
    names = [f"{task.removeprefix('demo_')} ({sizes[task]:,})" for task in tasks]
    lines = [f"| strategy | {' | '.join(names)} | mean loss |", "| --- |" + " --- |" * (len(tasks) + 1)]
    for strategy, result in results.items():
        cells = [_cell(result["mixture"][task], result["validation"][task]) for task in tasks]
        mean = sum(result["validation"][task]["loss"] for task in tasks) / len(tasks)
        lines.append(f"| {strategy} | {' | '.join(cells)} | {mean:.3f} |")
    settings = " ".join(f"`{setting}`" for setting in (*SETTINGS, *overrides))
    rows = "\n".join(f"| {name} | `{' '.join(overrides)}` |" for name, overrides in STRATEGIES.items())
    return f"""# Mixing strategies on the demo mixture

What each strategy drew, and the losses at the end. Each row is one small model trained from scratch, with one seed. The
table shows what the strategies do. [Studies](studies/README.md), with several seeds and intervals, compare them.

    python benchmarks/mixing_table.py

trains all of them through `t5mix train --config demo` with {settings} and writes this page. Each cell holds the
realised proportion of the examples in per cent, the epochs seen, and the validation loss in nats a token. Brackets hold
the number of training examples.

{chr(10).join(lines)}

| strategy | settings |
| --- | --- |
{rows}
"""


def _cell(drawn: Mapping[str, float], validation: Mapping[str, float]) -> str:
    return f"{100 * drawn['proportion']:.1f} · {drawn['epochs']:.2f} · {validation['loss']:.3f}"


if __name__ == "__main__":
    main()
