"""From a TSV file to a checked token store: examples a second, and the peak of the memory.

    python benchmarks/declared_store.py                                     this tree
    python benchmarks/declared_store.py --beside OTHER_TREE                 another checkout too, in turn
    python benchmarks/declared_store.py --rows 5000000 --repeat 1

Each try is a process of its own. Its time counts from the request to the manifest, so it includes reading every row
twice: once to check it, once to tokenise it; and, where the tree needs it, loading TensorFlow.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from provenance import save

ROOT = Path(__file__).resolve().parents[1]
NOUNS = ("river", "stone", "garden", "letter", "window", "doctor", "market", "engine", "forest", "candle", "bridge")
VERBS = ("opens", "moves", "finds", "carries", "follows", "holds", "paints", "watches", "breaks", "remembers")
TRY = """
import json, resource, sys, time
started = time.perf_counter()
from t5mix.cache import prepare_worker
from t5mix.data.manifest import DataRequest
manifest = prepare_worker.prepare(DataRequest.from_json(sys.argv[1]), quiet=True)
seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
examples = manifest.tasks[0].splits["train"].counts.examples
print(json.dumps({"seconds": seconds, "examples_per_second": examples / seconds, "peak_megabytes": peak}))
"""


def write_rows(path: Path, rows: int) -> None:
    """Writes sentences with labels; no two rows are alike."""
    draw = random.Random(0)
    with open(path, "w", encoding="utf-8") as file:
        file.write("sentence\tlabel\n")
        for row in range(rows):
            words = (draw.choice(NOUNS), draw.choice(VERBS), draw.choice(NOUNS), draw.choice(NOUNS))
            file.write("The {} {} the {} near the {}, {}.\t{}\n".format(*words, row, row % 2))


def attempt(tree: Path, folder: Path, store_dir: Path) -> dict[str, float]:
    """Prepares the file's task in a process of a checkout."""
    request: dict[str, Any] = {
        "mixture": ["sentences"],
        "inputs_length": 64,
        "targets_length": 8,
        "seed": 0,
        "store_dir": str(store_dir),
        "vocabulary": str(ROOT / "tasks" / "vocabularies" / "demo.model"),
        "declared": {
            "sentences": {
                "files": {split: str(folder / f"{split}.tsv") for split in ("train", "validation")},
                "inputs": "sst2 sentence: {sentence}",
                "targets": "label",
                "labels": {"0": "negative", "1": "positive"},
                "metrics": ["accuracy"],
            }
        },
    }
    environment = {**os.environ, "PYTHONPATH": str(tree), "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", TRY, json.dumps(request)]
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return json.loads(ended.stdout.splitlines()[-1])


def main() -> None:
    """Times this tree, and another one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--beside", type=Path, help="another checkout")
    parser.add_argument("--rows", type=int, default=200_000, help="default: %(default)s")
    parser.add_argument("--repeat", type=int, default=3, help="tries of each tree; the median is reported")
    options = parser.parse_args()
    trees = {"this": ROOT} | ({"beside": options.beside.resolve()} if options.beside else {})
    tries: dict[str, list[dict[str, float]]] = {name: [] for name in trees}
    with tempfile.TemporaryDirectory(prefix="t5mix-store-") as name:
        folder = Path(name)
        write_rows(folder / "train.tsv", options.rows)
        write_rows(folder / "validation.tsv", 1000)
        for number in range(options.repeat):
            for tree_name, tree in trees.items():
                tries[tree_name].append(attempt(tree, folder, folder / f"{tree_name}-{number}"))
                print(f"{tree_name}: {tries[tree_name][-1]}", flush=True)
    middle = {name: sorted(of, key=lambda one: one["seconds"])[len(of) // 2] for name, of in tries.items()}
    ratio = {"times_as_fast": middle["beside"]["seconds"] / middle["this"]["seconds"]} if options.beside else {}
    print(json.dumps({**middle, **ratio}, indent=1))
    rows = "" if options.rows == 200_000 else f"_{options.rows}"
    save(f"declared_store{rows}", {"rows": options.rows, "median": middle, "tries": tries, **ratio})


if __name__ == "__main__":
    main()
