"""`t5mix`: runs a command. Loads neither JAX nor TensorFlow until a command needs them."""

# A signal that comes before `program` has begun shows a traceback, so nothing more is loaded here.
import contextlib
import sys
from collections.abc import Sequence
from typing import NoReturn

from t5mix import interrupts


def program() -> NoReturn:
    """Runs a command as this process."""
    interrupts.take_over("t5mix")
    try:
        status = _run(None)
    except BaseException as error:
        number = None if isinstance(error, SystemExit) else interrupts.signal_of(error)
        if number is None:
            raise
        with contextlib.suppress(OSError, ValueError):  # its reader may have been interrupted too
            sys.stdout.flush()
        interrupts.leave(number)
    sys.exit(status)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command in this process, which goes on afterwards.

    Returns:
        The exit status: 0 done, 1 an error that is not the user's, 2 an error that the user can mend, 128 + n where
        signal n stopped a run, a run in training after it wrote a checkpoint.
    """
    try:
        return _run(arguments)
    except KeyboardInterrupt as error:
        print("t5mix: interrupted", file=sys.stderr)
        return 128 + (interrupts.signal_of(error) or 0)


def _run(arguments: Sequence[str] | None) -> int:
    import importlib
    import os

    from t5mix.cli.parser import build_parser
    from t5mix.errors import T5MixError

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
        with interrupts.interruptible():
            return importlib.import_module(options.module).run(options)
    except T5MixError as error:
        print(f"t5mix: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


if __name__ == "__main__":
    program()
