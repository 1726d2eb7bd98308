"""Runs a module as the child of another process, and ends with that process, however it ends.

    python -m t5mix.child_process MODULE ARGUMENT...

The parent holds the other end of the standard input; the child sees that it is closed from its first moment on, while
the module is still loading.
"""

import os
import runpy
import select
import signal
import sys
import threading
import time

ENDED = 143  # the exit status of a child that SIGTERM has ended in good order
_GRACE_SECONDS = 10.0  # to remove what is half-written, before the process ends by force


def main() -> None:
    """Runs the module that the command line names."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the parent
    threading.Thread(target=_end_with_parent, daemon=True).start()
    del sys.argv[0]
    try:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code == ENDED:  # threads of TensorFlow may still run, and crash when Python ends under them
            os._exit(ENDED)
        raise


def _end_with_parent() -> None:
    waiting = select.poll()
    waiting.register(0, 0)  # for the end alone: what the parent sends is the module's to read
    waiting.poll()
    silent = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # nobody waits for what it says
        os.dup2(silent, stream)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_SECONDS)
    os._exit(ENDED)  # something native does not come back to Python


if __name__ == "__main__":
    main()
