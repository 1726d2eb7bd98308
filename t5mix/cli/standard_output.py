"""The standard output of a command: written out before the command ends, and what becomes of one that cannot be."""

import functools
import os
import sys
from collections.abc import Callable
from typing import ParamSpec

from t5mix.files import is_full

P = ParamSpec("P")
CLOSED_PIPE = 141  # the exit status of a program whose reader went away, as a shell gives it: 128 + SIGPIPE


def written_out(command: Callable[P, int]) -> Callable[P, int]:
    """Makes a command write out all that it printed: left to the end of the interpreter, an error would be a traceback.

    The command's exit status is then `CLOSED_PIPE`, without a word, where nobody reads the output any more, as with
    `| head -1`; and 2, with a line on standard error, where there is no room for it.
    """

    @functools.wraps(command)
    def wrapped(*arguments: P.args, **named: P.kwargs) -> int:
        try:
            try:
                return command(*arguments, **named)
            finally:
                sys.stdout.flush()
        except BrokenPipeError:
            _discard_output()
            return CLOSED_PIPE
        except OSError as error:
            if error.filename is not None or not is_full(error):  # with a name it is another file
                raise
            _discard_output()
            print(
                f"t5mix: The output could not be written: {error.strerror}. Make room, and run it again.",
                file=sys.stderr,
            )
            return 2

    return wrapped


def _discard_output() -> None:
    """Lets what is still to be written go nowhere, or the interpreter would try again as it ends."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
