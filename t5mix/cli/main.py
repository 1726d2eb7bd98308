"""`t5mix`: runs a command. Loads neither JAX nor TensorFlow until a command needs them."""

import importlib
import os
import sys
from collections.abc import Sequence

from t5mix.cli.parser import build_parser
from t5mix.cli.standard_output import written_out
from t5mix.errors import T5MixError


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns:
        The exit status: 0 done, 1 an error that is not the user's, 2 an error that the user can mend, 128 + n where
        signal n stopped a run after it wrote a checkpoint; 141 where the reader of the output went away.
    """
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        print("t5mix: interrupted", file=sys.stderr)
        return 130


@written_out
def _run(arguments: Sequence[str] | None) -> int:
    parser = build_parser()
    options, rest = parser.parse_known_args(arguments)
    if rest and (not hasattr(options, "overrides") or any(argument.startswith("-") for argument in rest)):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:  # overrides may stand before options, after them, or on both sides
        options.overrides = [*options.overrides, *rest]
    if not hasattr(options, "module"):
        parser.print_help()
        return 2
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        return importlib.import_module(options.module).run(options)
    except T5MixError as error:
        print(f"t5mix: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
