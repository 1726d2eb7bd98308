"""The formats of checkpoints that are read: which one a folder has, and its reader."""

from pathlib import Path

from t5mix.errors import T5MixError
from t5mix.interop.foreign import ForeignCheckpoint
from t5mix.interop.huggingface import is_huggingface, read_huggingface
from t5mix.interop.mesh_tensorflow import is_mesh_tensorflow, read_mesh_tensorflow
from t5mix.interop.t5x import is_t5x, read_t5x

_READERS = (
    (is_huggingface, read_huggingface),
    (is_t5x, read_t5x),
    (is_mesh_tensorflow, read_mesh_tensorflow),
)
"""How each format is recognised, and its reader."""


def is_foreign(path: Path) -> bool:
    """Returns whether a path names a checkpoint of another framework."""
    return any(looks_like(path) for looks_like, _ in _READERS)


def read_foreign(path: Path) -> ForeignCheckpoint:
    """Returns the model in a checkpoint of another framework; reads no more than tells what it is.

    Raises:
        T5MixError: there is none, it is damaged, or of another architecture.
    """
    if not path.exists():
        raise T5MixError(f"There is no folder {path} (working directory: {Path.cwd()}).")
    for looks_like, read in _READERS:
        if looks_like(path):
            return read(path)
    raise T5MixError(
        f"{path} is no checkpoint that t5mix imports: neither config.json of Transformers, nor checkpoint_N of T5X, "
        "nor model.ckpt-N of Mesh TensorFlow is there. A run of t5mix is named as it is (start_from, eval, predict)."
    )
