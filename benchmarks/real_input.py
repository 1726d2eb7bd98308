"""Five real tasks from scratch on a CPU: how long it takes, and what comes out.

    python benchmarks/real_input.py --data DIR [--work DIR] [KEY=VALUE ...]

DIR holds cola/, sst2/, multi30k_ende/, squad/ and wikitext2/; `real_input.yaml` beside this file is the experiment.
Writes results/real_input.json and prints a table.
"""

import argparse
import sys
import time
from pathlib import Path

from provenance import save
from watch import run_watched

from t5mix.cache.vocabulary_training import train_vocabulary
from t5mix.console.tables import TextTable, print_table
from t5mix.runs.evaluate import evaluate_run
from t5mix.tracking.run_directory import RunDirectory

CONFIG = Path(__file__).with_name("real_input.yaml")
VOCABULARY_SIZE = 4096
SPLITS = {"validation": ["cola", "sst2", "ende", "squad", "wikitext"], "test": ["cola", "sst2", "ende"]}
"""What is scored on which split; of CoLA, validation is in-domain and test out-of-domain."""


def main() -> None:
    """Trains, evaluates, reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("runs/real_input"))
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="settings of the experiment")
    options = parser.parse_args()
    started = time.perf_counter()
    vocabulary = options.work / "vocabulary.model"
    run = options.work / "run"
    if not vocabulary.exists():
        train_vocabulary(_texts(options.data), vocabulary, VOCABULARY_SIZE, fields=["sentence", "en", "de", "context"])
    command = [sys.executable, "-m", "t5mix.cli.main", "train", "--config", str(CONFIG)]
    settings = [f"variables.data={options.data}", f"vocabulary={vocabulary}", f"run_dir={run}"]
    _, memory = run_watched([*command, *settings, f"store_dir={options.work / 'stores'}", *options.overrides])
    trained = time.perf_counter() - started
    scores = {
        split: {name: found.metrics for name, found in evaluate_run(run, split=split, tasks=tasks).items()}
        for split, tasks in SPLITS.items()
    }
    result = RunDirectory(run).result()
    figures = {
        "minutes": {"training": trained / 60, "with_evaluation": (time.perf_counter() - started) / 60},
        "peak_memory_bytes": memory,
        "scores": scores,
        "result": result,
    }
    path = save("real_input", figures)
    table = TextTable("task", "split", "scores", text=["split", "scores"])
    for split, tasks in scores.items():
        for task, metrics in tasks.items():
            table.add_row(task, split, "  ".join(f"{name} {value:.4g}" for name, value in metrics.items()))
    print_table(f"{trained / 60:.1f} minutes of training on real input", table)
    print(f"peak memory {memory / 2**20:,.0f} MiB; {path}")


def _texts(data: Path) -> list[Path]:
    names = (
        "cola/train.tsv",
        "sst2/train.tsv",
        "multi30k_ende/train.jsonl",
        "squad/train.jsonl",
        "wikitext2/train.txt",
    )
    return [data / name for name in names]


if __name__ == "__main__":
    main()
