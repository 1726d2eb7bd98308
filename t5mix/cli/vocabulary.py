"""`t5mix vocab`."""

import argparse
import sys
from typing import TYPE_CHECKING

from t5mix.console import units

if TYPE_CHECKING:
    from t5mix.sources.file_texts import FileTexts


def run(options: argparse.Namespace) -> int:
    """Trains a vocabulary."""
    from t5mix.cache.vocabulary_training import train_vocabulary

    size = train_vocabulary(
        options.files,
        options.output,
        options.size,
        extra_ids=options.extra_ids,
        fields=options.fields,
        format=options.format,
        report=_report,
    )
    print(f"{options.output}: {size} ids, {options.extra_ids} of them sentinels.")
    return 0


def _report(file: "FileTexts") -> None:
    fields = f", fields {', '.join(file.fields)}" if file.fields else ""
    left_out = f" (without {', '.join(file.left_out)})" if file.left_out else ""
    print(f"{file.path}: {units.count(file.lines)} lines{fields}{left_out}", file=sys.stderr)
