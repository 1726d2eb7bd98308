"""`t5mix train`."""

import argparse
import shlex
import signal
import sys
from pathlib import Path

from t5mix.cli.file_ahead import FileAhead
from t5mix.compiled_programs import keep_compiled_programs
from t5mix.console.stage import stage
from t5mix.data import prepare_client
from t5mix.errors import T5MixError


def run(options: argparse.Namespace) -> int:
    """Trains, or prints what would be trained."""
    if options.show:
        return _show(options)
    ahead = FileAhead.read(options.config, options.overrides)
    with prepare_client.early_preparation(tensorflow=ahead.needs_tensorflow):
        return _train(options)


def _show(options: argparse.Namespace) -> int:
    with stage("Loading JAX"):
        from t5mix.cli.composing import experiment_of

        experiment = experiment_of(options)
    import yaml

    print(yaml.safe_dump(experiment.to_json(), sort_keys=False, allow_unicode=True), end="")
    return 0


def _train(options: argparse.Namespace) -> int:
    keep_compiled_programs()
    with stage("Loading JAX"):
        from t5mix.cli.composing import experiment_of

        experiment = experiment_of(options)
        from t5mix.distributed.processes import is_main_process
        from t5mix.runs.train import train_experiment

    outcome = train_experiment(experiment)
    if outcome.finished:
        done = f"Done: {outcome.step} steps in {experiment.run_dir}."
        message, status = f"{done} Next: t5mix eval {shlex.quote(experiment.run_dir)}", 0
    else:
        assert outcome.signal is not None
        message = (
            f"Stopped by {outcome.signal} after step {outcome.step}; a checkpoint is written. "
            "The same command continues from there."
        )
        status = 128 + signal.Signals[outcome.signal]
    if is_main_process():
        if outcome.finished:
            _draw(Path(experiment.run_dir))
        print(message, file=sys.stderr)
    return status


def _draw(run_dir: Path) -> None:
    """Leaves a picture in the run's folder, if one can be drawn: without it the run is as good."""
    try:
        with stage("Drawing the curves"):
            from t5mix.plots.curves import draw_run

            message = f"Drawn: {draw_run(run_dir)}"
    except T5MixError as error:
        message = f"Not drawn: {error}"
    print(message, file=sys.stderr)
