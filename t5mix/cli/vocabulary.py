"""`t5mix vocab`."""

import argparse
from pathlib import Path


def run(options: argparse.Namespace) -> int:
    """Trains a vocabulary."""
    from t5mix.cache.vocabulary_training import train_vocabulary

    train_vocabulary(
        [Path(name) for name in options.files],
        Path(options.output),
        options.size,
        extra_ids=options.extra_ids,
        fields=options.fields,
    )
    print(f"{options.output}: {options.size} ids, {options.extra_ids} of them sentinels.")
    return 0
