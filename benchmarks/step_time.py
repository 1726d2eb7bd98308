"""What does our training step cost over that of a T5 written by hand? Times one step of each, interleaved.

    python benchmarks/step_time.py --preset mini --rows 8 --lengths 128 32

Both steps have the same shape, parameters and batch, in one process: value and gradient of the mean token
cross-entropy with z-loss, then plain SGD. Ours is the step that `t5mix train` takes (`t5mix.training.step`), with its
sums for each of ten tasks, the gradient's norm and its bookkeeping; theirs does nothing but train. Prints the ratio of
the times (median and range over the pairs) and writes `benchmarks/results/step_time.json`.
The bar: a median of at most 1.05.
"""

import argparse
import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import Any

import functional_t5
import jax
import jax.numpy as jnp
import numpy as np
import optax
from provenance import save

from t5mix.checkpoint.train_state import TrainState, new_state
from t5mix.model import PRESETS, T5Config, abstract_model, init_params
from t5mix.training.config import TrainingConfig
from t5mix.training.step import make_step

BAR = 1.05
Z_LOSS = 1e-4
LEARNING_RATE = 1e-3
NUM_TASKS = 10

Logits = Callable[[Any, dict[str, jax.Array], jax.Array | None], jax.Array]
Step = Callable[[Any, dict[str, jax.Array], jax.Array | None], tuple[Any, jax.Array]]


def make_batch(config: T5Config, rows: int, source: int, target: int) -> dict[str, jax.Array]:
    """A packed batch: two examples in each row, and one padding position at the end."""
    rng = np.random.default_rng(0)

    def side(name: str, length: int) -> dict[str, jax.Array]:
        segments = np.where(np.arange(length) < length // 2, 1, 2)
        segments[-1] = 0
        positions = np.where(segments == 2, np.arange(length) - length // 2, np.arange(length))
        tokens = rng.integers(2, config.vocab_size, (rows, length))
        arrays = {"inputs": tokens, "segment_ids": segments, "positions": positions}
        return {f"{name}_{k}": jnp.asarray(np.broadcast_to(v, (rows, length)), jnp.int32) for k, v in arrays.items()}

    targets = jnp.asarray(rng.integers(2, config.vocab_size, (rows, target)), jnp.int32)
    tasks = jnp.asarray(rng.integers(NUM_TASKS, size=(rows, target)), jnp.int32)
    both = {**side("encoder", source), **side("decoder", target)}
    return {**both, "decoder_targets": targets, "decoder_task_ids": tasks}


def our_step(config: T5Config) -> Step:
    """The step of `t5mix train` with plain SGD, compiled; `key` is left out of account: the step makes its own."""
    graphdef, _ = abstract_model(config)
    settings = TrainingConfig(z_loss=Z_LOSS)
    step = make_step(graphdef, optax.sgd(LEARNING_RATE), lambda step: LEARNING_RATE, settings, NUM_TASKS, seed=0)

    def without_key(state: TrainState, batch: dict[str, jax.Array], key: jax.Array | None) -> tuple[Any, jax.Array]:
        state, metrics = step(state, batch)
        return state, metrics.sums.objective / metrics.sums.loss_tokens.sum()

    return jax.jit(without_key, donate_argnums=0)


def functional_step(logits_of: Logits) -> Step:
    """One compiled SGD step on the mean token cross-entropy; the parameters' memory is reused."""

    def loss_of(params: Any, batch: dict[str, jax.Array], key: jax.Array | None) -> jax.Array:
        logits = logits_of(params, batch, key)
        log_z = jax.nn.logsumexp(logits, axis=-1)
        chosen = jnp.take_along_axis(logits, batch["decoder_targets"][..., None], axis=-1)[..., 0]
        weights = batch["decoder_segment_ids"] > 0
        return jnp.sum((log_z - chosen + Z_LOSS * log_z**2) * weights) / jnp.sum(weights)

    def step(params: Any, batch: dict[str, jax.Array], key: jax.Array | None) -> tuple[Any, jax.Array]:
        loss, gradients = jax.value_and_grad(loss_of)(params, batch, key)
        return jax.tree.map(lambda p, g: p - LEARNING_RATE * g, params, gradients), loss

    return jax.jit(step, donate_argnums=0)


def timed(step: Step, params: Any, batch: dict[str, jax.Array], key: jax.Array | None) -> tuple[Any, float, float]:
    """Runs a step to its end: the new parameters, the loss, and the seconds it took."""
    begin = time.perf_counter()
    params, loss = jax.block_until_ready(step(params, batch, key))
    return params, float(loss), time.perf_counter() - begin


def compare(config: T5Config, batch: dict[str, jax.Array], dropout: bool, pairs: int) -> dict[str, Any]:
    """Times both models in turns, A B B A, and summarises the ratios of the pairs."""
    config = config if dropout else dataclasses.replace(config, dropout_rate=0.0)
    ours = our_step(config)
    theirs = functional_step(
        lambda params, batch, key: functional_t5.logits(
            params, batch, heads=config.num_heads, rate=config.dropout_rate, key=key
        )
    )
    # Two sets of equal arrays: each step consumes its own.
    state = {
        "t5mix": new_state(init_params(config, jax.random.key(0)), {}, optax.sgd(LEARNING_RATE)),
        "functional": functional_t5.nest(init_params(config, jax.random.key(0))),
    }
    steps = {"t5mix": ours, "functional": theirs}
    key = jax.random.key(1) if dropout else None
    seconds: dict[str, list[float]] = {"t5mix": [], "functional": []}
    warm_up = 3
    for pair in range(warm_up + pairs):
        names = ["t5mix", "functional"] if pair % 2 else ["functional", "t5mix"]
        losses = {}
        for name in names:
            state[name], losses[name], spent = timed(steps[name], state[name], batch, key)
            if pair >= warm_up:
                seconds[name].append(spent)
        if pair == 0 and not dropout and abs(losses["t5mix"] - losses["functional"]) > 1e-3:
            raise SystemExit(f"the two models differ, so their times cannot be compared: {losses}")
    ratios = [a / b for a, b in zip(seconds["t5mix"], seconds["functional"], strict=True)]
    return {
        "dropout": dropout,
        "pairs": pairs,
        "ratio_median": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        "t5mix_ms_median": 1e3 * statistics.median(seconds["t5mix"]),
        "functional_ms_median": 1e3 * statistics.median(seconds["functional"]),
    }


def main() -> None:
    """Parses the command line, measures, prints and writes the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="mini", choices=sorted(PRESETS), help="model size (mini)")
    parser.add_argument("--vocab-size", type=int, default=4096, help="for presets without one (4096)")
    parser.add_argument("--rows", type=int, default=8, help="rows of the batch (8)")
    parser.add_argument("--lengths", type=int, nargs=2, default=(128, 32), metavar=("S", "T"), help="lengths (128 32)")
    parser.add_argument("--pairs", type=int, default=25, help="timed pairs, after 3 to warm up (25)")
    args = parser.parse_args()

    config = PRESETS[args.preset]
    config = dataclasses.replace(config, vocab_size=config.vocab_size or args.vocab_size)
    batch = make_batch(config, args.rows, *args.lengths)
    results = [compare(config, batch, dropout, args.pairs) for dropout in (False, True)]

    print(f"{'dropout':>8} {'t5mix ms':>9} {'by hand ms':>11} {'ratio':>7}   [min, max] over {args.pairs} pairs")
    for r in results:
        print(
            f"{'on' if r['dropout'] else 'off':>8} {r['t5mix_ms_median']:9.1f} {r['functional_ms_median']:11.1f} "
            f"{r['ratio_median']:7.3f}   [{r['ratio_min']:.3f}, {r['ratio_max']:.3f}]"
        )
    within = all(r["ratio_median"] <= BAR for r in results)
    print(f"{'within' if within else 'ABOVE'} the bar of {BAR}")
    record = {
        "preset": args.preset,
        "config": dataclasses.asdict(config),
        "rows": args.rows,
        "lengths": list(args.lengths),
        "bar": BAR,
        "within_bar": within,
        "results": results,
    }
    print(save("step_time", record))


if __name__ == "__main__":
    main()
