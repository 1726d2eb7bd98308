"""`t5mix train`."""

import argparse
import signal
import sys

from t5mix.composition import compose_experiment


def run(options: argparse.Namespace) -> int:
    """Trains, or prints what would be trained."""
    raw = compose_experiment(options.config, options.overrides)
    from t5mix.experiment import read_experiment

    experiment = read_experiment(raw)
    if options.show:
        import yaml

        print(yaml.safe_dump(experiment.to_json(), sort_keys=False), end="")
        return 0
    from t5mix.runs.train import train_experiment

    outcome = train_experiment(experiment)
    if outcome.finished:
        done = f"Done: {outcome.step} steps in {experiment.run_dir}."
        print(f"{done} Next: t5mix eval {experiment.run_dir}", file=sys.stderr)
        return 0
    assert outcome.signal is not None
    print(
        f"Stopped by {outcome.signal} after step {outcome.step}; a checkpoint is written. "
        "The same command continues from there.",
        file=sys.stderr,
    )
    return 128 + signal.Signals[outcome.signal]
