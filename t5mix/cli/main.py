"""`t5mix`: runs a command. Loads neither JAX nor TensorFlow until a command needs them."""

# A signal that comes before `program` has begun shows a traceback, so nothing more is loaded here.
import sys
from collections.abc import Sequence
from typing import NoReturn

from t5mix import interrupts


def program() -> NoReturn:
    """Runs a command as this process."""
    interrupts.run_program("t5mix", lambda: _run(None))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command in this process, which goes on afterwards.

    Returns:
        The exit status: 0 done, 1 an error that is not the user's, 2 an error that the user can mend, 128 + n where
        signal n stopped a run, a run in training after it wrote a checkpoint; 141 where the reader of the output went
        away.
    """
    try:
        return _run(arguments)
    except KeyboardInterrupt as error:
        print(interrupts.interrupted("t5mix"), file=sys.stderr)
        return 128 + (interrupts.signal_of(error) or 0)


def _run(arguments: Sequence[str] | None) -> int:
    from t5mix.cli.standard_output import written_out
    from t5mix.console.streams import use_utf8

    use_utf8()
    return written_out(_command)(arguments)


def _command(arguments: Sequence[str] | None) -> int:
    import importlib
    import os

    from t5mix.cli.arguments import read_command_line
    from t5mix.cli.parser import build_parser
    from t5mix.errors import T5MixError
    from t5mix.files import is_refused_write

    parser = build_parser()
    options = read_command_line(parser, sys.argv[1:] if arguments is None else arguments)
    if not hasattr(options, "module"):
        parser.print_help()
        return 0
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with interrupts.interruptible():
            return importlib.import_module(options.module).run(options)
    except T5MixError as error:
        print(f"t5mix: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.filename is None or not is_refused_write(error):  # without a name it is our own output
            raise
        print(f"t5mix: {error.filename} cannot be used: {error.strerror}.", file=sys.stderr)
        return 2


if __name__ == "__main__":
    program()
