"""What fine-tuning policies cost on T5 base: operations, step time and memory, relative to training everything.

    python benchmarks/policy_costs.py [--preset t5_base] [--rows 2] [--lengths 512 128] [--steps 4] [--only NAME ...]

Compiles the training step of each policy as `t5mix train` does, in a process of its own, and takes some steps. The
compiler counts the operations and the memory; the clock and the kernel say what they came to. Full fine-tuning is
measured first and last, to tell a machine that changes its speed. Writes results/policy_costs.json.

The bars, in operations relative to full fine-tuning: 0.72 for adapters, LoRA and IA3, 0.42 for the last decoder block
alone, 0.55 for the first episode of gradual unfreezing whose embedding trains through the output alone; and measured
times and memory within 15 per cent of what the compiler's counts lead one to expect.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
from provenance import save

from t5mix.config.reading import policy_from_dict
from t5mix.model import PRESETS
from t5mix.training.config import TrainingConfig
from t5mix.training.costs import abstract_batch, costs_of
from t5mix.training.engine import Engine
from t5mix.training.optimizer import Adafactor
from t5mix.training.schedule import Constant
from t5mix.training.sharding import MeshConfig

POLICIES: dict[str, dict[str, Any]] = {
    "full": {"kind": "full"},
    "adapter, d=128": {"kind": "adapter", "dim": 128},
    "lora, r=8": {"kind": "lora", "rank": 8},
    "ia3": {"kind": "ia3"},
    "layer_norms": {"kind": "layer_norms"},
    "prefix, P=16": {"kind": "prefix"},
    "prompt, P=100": {"kind": "prompt"},
    "per_task, 8 adapters, d=32": {
        "kind": "per_task",
        "policy": {"kind": "adapter", "dim": 32, "train_norms": "own"},
        "tasks": list("abcdefgh"),
    },
    "last decoder block": {"kind": "feature_based"},
    "gradual unfreezing, first episode": {"kind": "gradual_unfreezing"},
    "gradual unfreezing, first episode, output end": {"kind": "gradual_unfreezing", "embedding": "output"},
}
BARS = {
    "adapter, d=128": 0.72,
    "lora, r=8": 0.72,
    "ia3": 0.72,
    "last decoder block": 0.42,
    "gradual unfreezing, first episode, output end": 0.55,
}
NUM_TASKS = 8


def main() -> None:
    """Measures all policies, reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = [name for name, model in PRESETS.items() if model.vocab_size is not None]
    parser.add_argument("--preset", default="t5_base", choices=sizes)
    parser.add_argument("--rows", type=int, default=2)
    parser.add_argument("--lengths", type=int, nargs=2, default=(512, 128), metavar=("INPUTS", "TARGETS"))
    parser.add_argument("--steps", type=int, default=4, help="timed, after one that is not")
    parser.add_argument("--only", action="append", choices=POLICIES, help="besides full; may be repeated")
    parser.add_argument("--child", choices=POLICIES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(POLICIES[options.child], options)))
        return
    names = [name for name in POLICIES if name == "full" or not options.only or name in options.only]
    measured: dict[str, dict[str, float]] = {}
    for name in [*names, "full"]:
        done = subprocess.run(
            [sys.executable, *sys.argv, "--child", name], check=True, stdout=subprocess.PIPE, text=True
        )
        figures = json.loads(done.stdout.splitlines()[-1])
        if name in measured:  # full, again
            measured["full, at the end"] = figures
        else:
            measured[name] = figures
        print(f"{name}: {figures['seconds']:.2f} s a step", flush=True)
    table = {name: relative(name, figures, measured["full"]) for name, figures in measured.items()}
    print(f"{'':46} operations  time  time/expected  memory  memory/expected")
    for name, row in table.items():
        print(
            f"{name:46} {row['operations']:10.3f} {row['time']:5.3f} {row['time_to_expected']:14.3f} "
            f"{row['memory']:7.3f} {row['memory_to_expected']:16.3f}  {row['bar']}"
        )
    settings = {key: value for key, value in vars(options).items() if key not in ("child", "only")}
    print(save("policy_costs", {"settings": settings, "measured": measured, "relative_to_full": table}))


def measure(raw: dict[str, Any], options: argparse.Namespace) -> dict[str, float]:
    """Returns the compiler's counts for one policy, and what its steps take."""
    policy = policy_from_dict(raw).bind_for_shapes([f"task{i}" for i in range(NUM_TASKS)])
    training = TrainingConfig(batch_size=options.rows)
    model = PRESETS[options.preset]
    engine = Engine(model, policy, Adafactor(), Constant(), training, MeshConfig(), 0)
    inputs, targets = options.lengths
    shape = training.batch_shape(inputs, targets, policy.prompt_length)
    draw = np.random.default_rng(0)
    batch = {
        name: draw.integers(2, model.vocab_size, leaf.shape, dtype=np.int32)
        if name.endswith(("inputs", "targets"))
        else np.ones(leaf.shape, np.int32)
        for name, leaf in abstract_batch(shape).items()
    }
    for stack, width in (("encoder", shape.inputs), ("decoder", shape.targets)):
        batch[f"{stack}_positions"] = np.tile(np.arange(width, dtype=np.int32), (options.rows, 1))
    compiled = engine.lower(0, engine.put(batch)).compile()
    memory = compiled.memory_analysis()
    costs = costs_of(engine, shape).phases[0]
    before = resident("VmRSS")
    state = engine.start(None)
    state, metrics = compiled(state, engine.put(batch))
    jax.block_until_ready(state)
    Path("/proc/self/clear_refs").write_text("5")  # from here on the kernel notes the peak anew
    times = []
    for _ in range(options.steps):
        started = time.perf_counter()
        state, metrics = compiled(state, engine.put(batch))
        jax.block_until_ready((state, metrics))
        times.append(time.perf_counter() - started)
    return {
        "operations_traced": costs.flops,
        "operations": float(compiled.cost_analysis()["flops"]),
        "trained": costs.trained,
        "expected_bytes": float(memory.argument_size_in_bytes + memory.temp_size_in_bytes),
        "optimizer_bytes": costs.optimizer_bytes,
        "seconds": statistics.median(times),
        "peak_bytes": resident("VmHWM") - before,
    }


def relative(name: str, figures: dict[str, float], full: dict[str, float]) -> dict[str, Any]:
    """Returns a policy's figures relative to full fine-tuning."""
    operations = figures["operations"] / full["operations"]
    seconds = figures["seconds"] / full["seconds"]
    memory, expected = (figures[key] / full[key] for key in ("peak_bytes", "expected_bytes"))
    bar = BARS.get(name)
    return {
        "operations": operations,
        "time": seconds,
        "time_to_expected": seconds / operations,
        "memory": memory,
        "memory_to_expected": memory / expected,
        "bar": "" if bar is None else f"bar {bar}: {'met' if operations <= bar else 'NOT MET'}",
    }


def resident(which: str) -> int:
    """Returns the process's resident memory in bytes: VmRSS, now, or VmHWM, at its peak."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(which))
    return 1024 * int(line.split()[1])


if __name__ == "__main__":
    main()
