"""From the options of a command to its experiment."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t5mix.cli.file_ahead import FileAhead
from t5mix.tracking.run_directory import RunDirectory

if TYPE_CHECKING:
    from t5mix.config.experiment import Experiment


DEFAULT_CONFIG = "experiment"
"""What all configurations begin with, and say nothing of a mixture."""


def compose_options(options: argparse.Namespace, arguments: Sequence[str] = ()) -> dict[str, Any]:
    """Returns the configuration that a command line asks for, as plain data; says which settings an option replaced.

    Args:
        options: `config` and `overrides`.
        arguments: overrides that come before those of the command line.
    """
    overrides = [*arguments, *options.overrides]
    if (run := _continued_run(options.config, overrides)) is not None:
        from t5mix.config.recorded import with_settings

        tell(f"{run} is continued with the settings that it records.")
        return with_settings(RunDirectory(run).experiment(), overrides)
    FileAhead.read(options.config, overrides).check()
    from t5mix.config.compose import compose_experiment

    return compose_experiment(options.config, overrides, tell)


def _continued_run(config: str, overrides: Sequence[str]) -> Path | None:
    """Returns the run that `run_dir` names, if the command says nothing of what else would be trained."""
    words = [override.lstrip("+").partition("=") for override in overrides]
    given = {key: value for key, _, value in words}
    if config != DEFAULT_CONFIG or "mixture" in given or not given.get("run_dir"):
        return None
    run = Path(given["run_dir"]).expanduser()
    return run if (run / "experiment.json").is_file() else None


def experiment_of(options: argparse.Namespace, arguments: Sequence[str] = ()) -> "Experiment":
    """Returns the experiment that a command line asks for; see `compose_options`."""
    raw = compose_options(options, arguments)  # what is wrong with a file is said before JAX is loaded
    from t5mix.config.reading import read_experiment

    return read_experiment(raw)


def tell(line: str) -> None:
    """Says something about the settings, apart from what the command prints."""
    print(line, file=sys.stderr)
