"""The one door to TensorFlow and seqio: quiet, on the CPU only.

Every module of t5mix that needs them imports them from here, so that no other order of imports lets
TensorFlow fill an accelerator's memory or the terminal.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextlib.contextmanager
def _silent_start() -> Iterator[None]:
    """Holds back what TensorFlow's C++ side writes while it loads; if loading fails, all of it is shown."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        stderr = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(stderr, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)


with _silent_start():
    import seqio
    import tensorflow as tf

    tf.config.set_visible_devices([], "GPU")

__all__ = ["seqio", "tf"]
