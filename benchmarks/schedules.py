"""Whether optax's schedules give the learning rates of `t5mix.training.schedule`, bit for bit.

    python benchmarks/schedules.py

Compares, compiled and in float32, at every step of a run of 500 steps and 20 steps beyond. Where ours has a warm-up of
50 steps, optax's begins as ours does, with one fiftieth of the peak. Writes results/schedules.json.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from provenance import save

from t5mix.training.schedule import Constant, Cosine, LearningRate, Linear

STEPS, BEYOND, WARMUP = 500, 20, 50


def main() -> None:
    """Compares all pairs, reports."""
    rows = [compare(peak, warmup, kind) for peak in (1e-3, 2e-3, 1.0) for warmup in (0, WARMUP) for kind in OURS]
    for row in rows:
        print(row)
    print(save("schedules", {"steps": STEPS + BEYOND, "rows": rows}))


OURS = {"constant": Constant, "linear": Linear, "cosine": Cosine}


def theirs(kind: str, peak: float, warmup: int) -> LearningRate:
    """Returns optax's schedule of a kind."""
    decays = {
        "constant": optax.constant_schedule(peak),
        "linear": optax.linear_schedule(peak, 0.0, STEPS - warmup),
        "cosine": optax.cosine_decay_schedule(peak, STEPS - warmup),
    }
    if not warmup:
        return decays[kind]
    return optax.join_schedules([optax.linear_schedule(peak / warmup, peak, warmup - 1), decays[kind]], [warmup])


def compare(peak: float, warmup: int, kind: str) -> dict[str, Any]:
    """Returns at how many steps the rates differ, and by how much of the peak at most."""
    ours = rates(OURS[kind](learning_rate=peak, warmup_steps=warmup).build(STEPS))
    other = rates(theirs(kind, peak, warmup))
    difference = float(np.max(np.abs(ours.astype(np.float64) - other)) / peak)
    differing = int(np.sum(ours.view(np.int32) != other.view(np.int32)))
    return {"kind": kind, "peak": peak, "warmup": warmup, "differing": differing, "largest": difference}


def rates(schedule: LearningRate) -> np.ndarray:
    """Returns the learning rate of each step, as the compiled training step computes it."""
    compiled = jax.jit(lambda step: jnp.asarray(schedule(step), jnp.float32))
    return np.asarray([compiled(jnp.int32(step)) for step in range(STEPS + BEYOND)], np.float32)


if __name__ == "__main__":
    main()
