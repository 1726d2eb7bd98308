"""What a sweep will take, before it starts: roughly, from the sizes of models and batches."""

import dataclasses
import json
import math
from collections.abc import Sequence

from t5mix.runs.build_engine import parameter_shapes
from t5mix.sweep.executors import CoresPerRun
from t5mix.sweep.plan import SweepPlanner, Trial
from t5mix.sweep.planned_runs import PlannedRun, with_ancestors
from t5mix.validation import to_plain

_SPEED = 3e10  # operations a second that training reaches on a core of these years
_SECONDS_A_RUN = 40.0  # starting, compiling and scoring a small model
_BYTES = 4


@dataclasses.dataclass(frozen=True)
class SweepEstimate:
    """What a sweep takes.

    Attributes:
        runs: how many there are.
        steps: of all runs.
        seconds: roughly, on a CPU; learning rates beyond the grids not counted.
        disk_bytes: at most, roughly: checkpoints of all runs.
    """

    runs: int
    steps: int
    seconds: float
    disk_bytes: int


def estimate_sweep(planner: SweepPlanner, trials: Sequence[Trial], cores: CoresPerRun, at_once: int) -> SweepEstimate:
    """Returns what all runs that are known beforehand take.

    Args:
        planner: the plan.
        trials: all that are known.
        cores: of each run.
        at_once: how many trials run at once.
    """
    runs = with_ancestors(planner.runs, [trial.run for trial in trials])
    parameters = _parameters(runs)
    shared = sum(_seconds(run, parameters[run.id], _SPEED * cores.shared) for run in runs if run.shared)
    others = sum(_seconds(run, parameters[run.id], _SPEED * cores.trial) for run in runs if not run.shared)
    return SweepEstimate(
        runs=len(runs),
        steps=sum(run.steps for run in runs),
        seconds=shared + others / at_once,
        disk_bytes=sum(_checkpoint_bytes(run, parameters[run.id]) for run in runs),
    )


def _parameters(runs: Sequence[PlannedRun]) -> dict[str, int]:
    """Returns the number of parameters of each run's model, by id; a model that several runs have is traced once."""
    numbers: dict[str, int] = {}
    by_id = {}
    for run in runs:
        experiment = run.experiment
        model = json.dumps([to_plain(part) for part in (experiment.model, experiment.finetuning, experiment.mixture)])
        if model not in numbers:
            shapes = parameter_shapes(experiment, vocab_size=1)  # where the data decides on a vocabulary, it is small
            numbers[model] = sum(math.prod(leaf.shape) for leaf in shapes.values())
        by_id[run.id] = numbers[model]
    return by_id


def _seconds(run: PlannedRun, parameters: int, speed: float) -> float:
    shape = run.experiment.batch_shape
    operations = 3 * parameters * shape.rows * (shape.inputs + shape.targets)
    return _SECONDS_A_RUN + run.steps * operations / speed


def _checkpoint_bytes(run: PlannedRun, parameters: int) -> int:
    """Returns the bytes of the checkpoints that a run leaves: parameters, and at most two moments of each."""
    return 3 * _BYTES * parameters * run.experiment.training.max_checkpoints_to_keep
