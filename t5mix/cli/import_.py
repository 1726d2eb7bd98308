"""`t5mix import`."""

import argparse
from pathlib import Path

from t5mix.console.stage import stage


def run(options: argparse.Namespace) -> int:
    """Imports a checkpoint."""
    with stage("Loading JAX"):
        from t5mix.cache.vocabulary import vocabulary_entry
        from t5mix.runs.importing import import_checkpoint

    vocabulary = vocabulary_entry(options.vocabulary, options.extra_ids) if options.vocabulary else None
    with stage("Importing the checkpoint"):
        written = import_checkpoint(Path(options.source).expanduser(), Path(options.out).expanduser(), vocabulary)
    print(written)
    return 0
