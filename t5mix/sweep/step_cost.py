"""What a step of a run takes, so that budgets can be made equal. Runs in a process of its own.

    python -m t5mix.sweep.step_cost FILE UNIT OUT

FILE is a job (`t5mix.sweep.worker`) that is not carried out, UNIT is tokens, flops or seconds.
"""

import dataclasses
import itertools
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from t5mix.errors import T5MixError
from t5mix.files import temporary_folder, write_json
from t5mix.interrupts import interruptible, run_program
from t5mix.sweep.worker import PERMANENT_ERROR, RunRequest, configure_process, prepare_once

if TYPE_CHECKING:
    from t5mix.config.experiment import Experiment

_WINDOWS, _LOG_EVERY = 6, 4  # of each phase, when it is timed; the first ones hold compilation


def main() -> int:
    """Measures what the command line names."""
    job, unit, out = RunRequest.load(Path(sys.argv[1])), sys.argv[2], Path(sys.argv[3])
    configure_process(job)
    try:
        with interruptible():
            write_json(out, {"unit": unit, "per_step": cost_per_step(job, unit)})
    except T5MixError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the log of the job
        return PERMANENT_ERROR
    return 0


def cost_per_step(job: RunRequest, unit: str) -> float:
    """Returns the mean over the run of what a step takes.

    Args:
        job: the run; whatever it starts from is left out of account.
        unit: "tokens", of inputs and targets, expected; "flops", as the compiler counts them; "seconds", measured.

    Raises:
        T5MixError: the run's settings or its data are wrong.
    """
    from t5mix.config.reading import read_experiment
    from t5mix.mixing.forecast import MixtureData, forecast
    from t5mix.runs.operations import operations_of

    experiment = read_experiment(job.experiment)
    experiment = dataclasses.replace(experiment, start_from=None)
    steps, shape = experiment.training.steps, experiment.batch_shape
    if unit == "seconds":
        with temporary_folder("t5mix-measure-") as folder:
            return _seconds(dataclasses.replace(experiment, run_dir=f"{folder}/run"))
    manifest = prepare_once(experiment.data_request(), Path(job.data))
    if unit == "tokens":
        data = MixtureData(manifest, shape, experiment.mixing_unit, experiment.seed)
        filled = forecast(data, experiment.mixing, steps)
        return shape.rows * (filled.inputs_filled * shape.inputs + filled.targets_filled * shape.targets)
    return operations_of(experiment, manifest) / steps


def _seconds(experiment: "Experiment") -> float:
    """Returns the mean over phases of a step's seconds, each phase being trained for a few windows."""
    from t5mix.runs.build_engine import training_phases
    from t5mix.runs.train import train_experiment
    from t5mix.tracking.metrics_file import read_metrics, values_of
    from t5mix.tracking.run_directory import RunDirectory

    steps = experiment.training.steps
    shares = [end - start for start, end in itertools.pairwise([*training_phases(experiment).starts, steps])]
    short = _WINDOWS * _LOG_EVERY * len(shares)
    training = dataclasses.replace(
        experiment.training, steps=short, log_every=_LOG_EVERY, evaluate_every=short, checkpoint_every=short
    )
    train_experiment(dataclasses.replace(experiment, training=training))
    logged = read_metrics(RunDirectory(Path(experiment.run_dir)).metrics).train
    seconds = [window / _LOG_EVERY for window in values_of(logged, "seconds")]
    of_phases = [
        statistics.median(seconds[_WINDOWS * phase + _WINDOWS // 3 : _WINDOWS * (phase + 1)])
        for phase in range(len(shares))
    ]
    return sum(share * median for share, median in zip(shares, of_phases, strict=True)) / steps


if __name__ == "__main__":
    run_program("t5mix.sweep.step_cost", main)
