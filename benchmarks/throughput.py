"""Packed batches from a GLUE-like mixture at 512/128: ours (plan + fill) beside seqio's get_dataset with packing.

    python benchmarks/throughput.py [--seconds 10] [--rounds 3] [--copies 1] [--mixing proportional]

Each side runs in a process of its own, pinned to one core, in turn, on the same tasks: GLUE's eight, or with
`--copies 5` forty of their sizes. seqio mixes in proportion to the sizes; ours under any strategy, asked and told of
losses at every step as in training. seqio tokenises while it packs; ours has done so before, once, and that time is
shown as well. Writes results/throughput.json, or for other tasks or another strategy results/throughput_MIXING_N.json.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Name: training examples in GLUE, mean tokens of an input with its prefix, tokens of a target.
GLUE = {
    "cola": (8_551, 16, 3),
    "sst2": (67_349, 18, 2),
    "mrpc": (3_668, 62, 4),
    "stsb": (5_749, 38, 4),
    "qqp": (363_846, 36, 4),
    "mnli": (392_702, 48, 4),
    "qnli": (104_743, 62, 4),
    "rte": (2_490, 75, 4),
}
SHARE = 20  # one in so many examples is made
LENGTHS = {"inputs": 512, "targets": 128}
ROWS = 128
WORDS = [
    *("the", "king", "queen", "guard", "of", "in", "a", "and", "one", "red"),
    *("old", "big", "book", "house", "town", "river", "reads", "walks", "sees", "gives"),
]


def main() -> None:
    """Runs one side, if asked for by name, or the whole comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each side")
    parser.add_argument("--copies", type=int, default=1, help="tasks of each of GLUE's sizes")
    parser.add_argument("--mixing", default="proportional", help="kind of our strategy")
    parser.add_argument("--side", choices=["t5mix", "seqio"], help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        if options.side == "t5mix":
            figures = measure_t5mix(options.work, options.seconds, options.mixing)
        else:
            figures = measure_seqio(options.work, options.seconds, options.copies)
        print(json.dumps(figures))
        return
    with tempfile.TemporaryDirectory() as work:
        compare(Path(work), options.seconds, options.rounds, options.copies, options.mixing)


def compare(work: Path, seconds: float, rounds: int, copies: int, mixing: str) -> None:
    """Materialises the tasks, measures both sides in turn, prints and saves the figures."""
    from provenance import save

    from t5mix.data.prepare_client import prepare_in_subprocess

    make_files(work, copies)
    started = time.perf_counter()
    prepare_in_subprocess(request(work, copies), quiet=True).save(work / "manifest.json")
    materialised = time.perf_counter() - started
    found: dict[str, list[dict[str, float]]] = {"t5mix": [], "seqio": []}
    for _ in range(rounds):
        for side, figures in found.items():
            command = [sys.executable, __file__, "--side", side, "--work", str(work), "--seconds", str(seconds)]
            command += ["--copies", str(copies), "--mixing", mixing]
            done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **_QUIET})
            figures.append(json.loads(done.stdout.splitlines()[-1]))
    medians = {
        side: {k: sorted(f[k] for f in figures)[rounds // 2] for k in figures[0]} for side, figures in found.items()
    }
    ratio = medians["t5mix"]["tokens_per_second"] / medians["seqio"]["tokens_per_second"]
    for side, figures in medians.items():
        print(
            f"{side:6} {figures['tokens_per_second'] / 1e6:7.3f} M non-padding tokens/s on one core; "
            f"encoder {figures['inputs_filled']:.1%}, decoder {figures['targets_filled']:.1%} filled"
        )
    print(f"{len(names(copies))} tasks, {mixing}")
    print(f"ratio  {ratio:.1f}; materialising once took {materialised:.1f} s, start-up of the process included")
    name = "throughput" if (copies, mixing) == (1, "proportional") else f"throughput_{mixing}_{len(names(copies))}"
    figures = {"medians": medians, "rounds": found, "ratio": ratio, "materialise_seconds": materialised}
    print(save(name, {"tasks": len(names(copies)), "mixing": mixing, **figures}))


_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"}


def names(copies: int) -> dict[str, str]:
    """Returns the tasks, each with the one of GLUE whose size it has."""
    return {f"{name}_{copy}" if copy else name: name for copy in range(copies) for name in GLUE}


def make_files(work: Path, copies: int) -> None:
    """Writes one TSV file a task, of words that are one token each, with lengths spread as those of sentences are."""
    draw = random.Random(0)
    for name, like in names(copies).items():
        size, mean, target = GLUE[like]
        with open(work / f"{name}.tsv", "w", encoding="utf-8") as file:
            file.write("text\tlabel\n")
            for _ in range(size // SHARE):
                length = max(4, min(500, round(draw.lognormvariate(0, 0.5) * mean * 0.88)))
                file.write(" ".join(draw.choices(WORDS, k=length)) + "\t" + " ".join(WORDS[: target - 1]) + "\n")


def request(work: Path, copies: int) -> Any:
    """Returns the data request of the mixture."""
    from t5mix.data.manifest import DataRequest

    tasks = {
        name: {"files": {"train": str(work / f"{name}.tsv")}, "inputs": "{text}", "targets": "label"}
        for name in names(copies)
    }
    vocabulary = Path(__file__).parents[1] / "tasks" / "vocabularies" / "demo.model"
    return DataRequest(
        mixture=tuple(tasks),
        inputs_length=LENGTHS["inputs"],
        targets_length=LENGTHS["targets"],
        seed=0,
        store_dir=str(work / "stores"),
        declared=tasks,
        vocabulary=str(vocabulary),
        splits=("train",),
    )


def measure_t5mix(work: Path, seconds: float, mixing: str) -> dict[str, float]:
    """Plans and fills batches of the locked stores, mixed by a strategy that hears of made-up losses."""
    import numpy as np

    from t5mix.data.manifest import DataManifest
    from t5mix.data.packing import BatchShape
    from t5mix.data.pipeline import task_data, training_batches
    from t5mix.mixing import STRATEGIES
    from t5mix.mixing.base import MixingBudget
    from t5mix.mixing.budget import read_task_sizes
    from t5mix.mixing.controller import MixtureController, initial_state

    manifest, strategy = DataManifest.load(work / "manifest.json"), STRATEGIES[mixing]()
    task_sizes = read_task_sizes(manifest, strategy, "examples")
    controller = MixtureController(
        strategy, task_sizes, initial_state(strategy, task_sizes, MixingBudget(10_000, 1e8)), lag=8
    )
    batches = training_batches(
        [task_data(task) for task in manifest.tasks],
        BatchShape(rows=ROWS, inputs=LENGTHS["inputs"], targets=LENGTHS["targets"]),
        seed=0,
        proportions=lambda step: controller.mixture(step).example_proportions,
    )
    losses = np.random.default_rng(0).uniform(0.5, 5.0, len(manifest.tasks))

    def observed() -> Iterator[tuple[Any, Any]]:
        for batch in batches:
            counts = batch.counts
            tokens = counts.input_tokens + counts.target_tokens
            controller.observe(
                batch.step,
                loss_sums=losses * counts.target_tokens,
                loss_tokens=counts.target_tokens,
                examples=counts.examples,
                tokens=tokens,
            )
            yield batch.arrays["encoder_segment_ids"] > 0, batch.arrays["decoder_segment_ids"] > 0

    return _measure(observed(), seconds)


def measure_seqio(work: Path, seconds: float, copies: int) -> dict[str, float]:
    """Iterates over seqio's own packed batches of the same tasks."""
    from t5mix.cache.declared_in_seqio import declared_to_seqio
    from t5mix.cache.request_checks import check_request
    from t5mix.cache.vocabulary import vocabulary_entry
    from t5mix.tensorflow_setup import seqio

    asked = request(work, copies)
    vocabulary = vocabulary_entry(asked.vocabulary, asked.extra_ids)
    for name, declaration in check_request(asked).items():
        seqio.TaskRegistry.add_provider(name, declared_to_seqio(name, declaration, vocabulary))
    sizes = {name: GLUE[like][0] // SHARE for name, like in names(copies).items()}
    seqio.MixtureRegistry.add("glue_like", list(sizes.items()))
    dataset = seqio.get_dataset(
        "glue_like",
        task_feature_lengths=LENGTHS,
        dataset_split="train",
        shuffle=True,
        num_epochs=None,
        feature_converter=seqio.EncDecFeatureConverter(pack=True),
    ).batch(ROWS, drop_remainder=True)
    batches = dataset.prefetch(2).as_numpy_iterator()
    return _measure(((b["encoder_segment_ids"] > 0, b["decoder_segment_ids"] > 0) for b in batches), seconds)


def _measure(batches: Iterator[tuple[Any, Any]], seconds: float) -> dict[str, float]:
    """Counts the tokens of batches for some seconds, after a first batch that is not counted."""
    next(batches)
    inputs = targets = count = 0
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        encoder, decoder = next(batches)
        inputs, targets, count = inputs + int(encoder.sum()), targets + int(decoder.sum()), count + 1
    took = time.perf_counter() - started
    return {
        "tokens_per_second": (inputs + targets) / took,
        "inputs_filled": inputs / (count * ROWS * LENGTHS["inputs"]),
        "targets_filled": targets / (count * ROWS * LENGTHS["targets"]),
        "batches": count,
    }


if __name__ == "__main__":
    main()
