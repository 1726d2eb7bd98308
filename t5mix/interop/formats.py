"""The formats of checkpoints that are read: which one a folder has, and its reader."""

from pathlib import Path

from t5mix.errors import T5MixError
from t5mix.interop.foreign import ForeignCheckpoint
from t5mix.interop.huggingface import is_huggingface, read_huggingface


def is_foreign(path: Path) -> bool:
    """Returns whether a path names a checkpoint of another framework."""
    return is_huggingface(path)


def read_foreign(path: Path) -> ForeignCheckpoint:
    """Returns the model in a checkpoint of another framework; reads no more than tells what it is.

    Raises:
        T5MixError: there is none, it is damaged, or of another architecture.
    """
    if not path.exists():
        raise T5MixError(f"There is no folder {path} (working directory: {Path.cwd()}).")
    if is_huggingface(path):
        return read_huggingface(path)
    raise T5MixError(
        f"{path} is no checkpoint that t5mix imports: it has no config.json, as folders of Transformers have. A run of "
        "t5mix is named as it is (start_from, eval, predict)."
    )
