"""From the options of a command to its experiment."""

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from t5mix.cli.file_ahead import FileAhead

if TYPE_CHECKING:
    from t5mix.config.experiment import Experiment


def compose_options(options: argparse.Namespace, arguments: Sequence[str] = ()) -> dict[str, Any]:
    """Returns the configuration that a command line asks for, as plain data; says which settings an option replaced.

    Args:
        options: `config` and `overrides`.
        arguments: overrides that come before those of the command line.
    """
    overrides = [*arguments, *options.overrides]
    FileAhead.read(options.config, overrides).check()
    from t5mix.config.compose import compose_experiment

    return compose_experiment(options.config, overrides, tell)


def experiment_of(options: argparse.Namespace, arguments: Sequence[str] = ()) -> "Experiment":
    """Returns the experiment that a command line asks for; see `compose_options`."""
    raw = compose_options(options, arguments)  # what is wrong with a file is said before JAX is loaded
    from t5mix.config.reading import read_experiment

    return read_experiment(raw)


def tell(line: str) -> None:
    """Says something about the settings, apart from what the command prints."""
    print(line, file=sys.stderr)
