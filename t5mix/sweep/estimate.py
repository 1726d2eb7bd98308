"""What a sweep will take, before it starts: roughly, from the sizes of models and batches."""

import dataclasses
import math
import time
from collections.abc import Sequence

import numpy as np

from t5mix.finetuning.base import for_tasks
from t5mix.model.t5 import abstract_model
from t5mix.sweep.plan import PlannedRun, Planner, Trial, order
from t5mix.sweep.runner import Cores

_SHARE_OF_PEAK = 0.35  # of a large matrix product's speed that training reaches on a CPU
_SECONDS_A_RUN = 40.0  # starting, compiling and scoring a small model
_BYTES = 4


@dataclasses.dataclass(frozen=True)
class Estimate:
    """What a sweep takes.

    Attributes:
        runs: how many there are.
        steps: of all runs.
        seconds: roughly, on this machine's CPU; learning rates beyond the grids not counted.
        disk_bytes: at most, roughly: checkpoints of all runs.
    """

    runs: int
    steps: int
    seconds: float
    disk_bytes: int


def estimate(planner: Planner, trials: Sequence[Trial], cores: Cores, at_once: int) -> Estimate:
    """Returns what all runs that are known beforehand take.

    Args:
        planner: the plan.
        trials: all that are known.
        cores: of each run.
        at_once: how many trials run at once.
    """
    runs = order(planner.runs, [trial.run for trial in trials])
    speed = _operations_a_second()
    shared = sum(_seconds(run, speed * cores.before) for run in runs if run.shared)
    others = sum(_seconds(run, speed * cores.trial) for run in runs if not run.shared)
    return Estimate(
        runs=len(runs),
        steps=sum(run.steps for run in runs),
        seconds=shared + others / at_once,
        disk_bytes=sum(_checkpoint_bytes(run) for run in runs),
    )


def _parameters(run: PlannedRun) -> int:
    model, policy = run.experiment.model, run.experiment.finetuning
    sized = dataclasses.replace(model, vocab_size=model.vocab_size or 1)  # where the data decides, it is small
    leaves = abstract_model(sized, for_tasks(policy, run.experiment.mixture).adapt)[1]
    return sum(math.prod(leaf.shape) for leaf in leaves.values())


def _seconds(run: PlannedRun, speed: float) -> float:
    shape = run.experiment.batch_shape
    operations = 3 * _parameters(run) * shape.rows * (shape.inputs + shape.targets)
    return _SECONDS_A_RUN + run.steps * operations / (_SHARE_OF_PEAK * speed)


def _checkpoint_bytes(run: PlannedRun) -> int:
    """Returns the bytes of the checkpoints that a run leaves: parameters, and as much again for the optimizer."""
    return 2 * _BYTES * _parameters(run) * run.experiment.training.keep


def _operations_a_second() -> float:
    """Returns the floating-point operations a second of one core, in a large matrix product."""
    matrix, best = np.ones((512, 512), np.float32), math.inf
    for _ in range(5):
        began = time.process_time()
        matrix @ matrix
        best = min(best, time.process_time() - began)
    return 2 * 512**3 / best
