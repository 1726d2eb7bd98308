"""`t5mix export`."""

import argparse
from pathlib import Path

from t5mix.console.stage import stage


def run(options: argparse.Namespace) -> int:
    """Exports a model."""
    with stage("Loading JAX"):
        from t5mix.runs.exporting import export_model
        from t5mix.runs.load import base_path

    run, out = Path(options.run).expanduser(), Path(options.out).expanduser()
    with stage("Writing and checking the folder"):
        export_model(run, out, options.format, dtype=options.dtype, base=base_path(options.base), task=options.task)
    print(out)
    return 0
