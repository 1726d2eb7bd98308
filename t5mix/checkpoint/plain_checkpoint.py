"""Checkpoints without an optimizer that no training wrote: a model that was imported, in one safetensors file.

Orbax would hold all parameters in memory, and its own copy of them, to write them at once.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from t5mix.checkpoint.integrity import CHECKSUMS, checksums
from t5mix.checkpoint.safetensors_files import write_safetensors
from t5mix.checkpoint.tensors import Tensor
from t5mix.files import disk_errors, write_json

PARAMS_FILE = "params.safetensors"
"""In the place of `params` of the other checkpoints."""


def write_plain_checkpoint(path: Path, params: Mapping[str, Tensor], run_state: Mapping[str, Any]) -> None:
    """Writes a checkpoint, one parameter after the other, as float32.

    Args:
        path: the checkpoint's folder, which does not exist yet.
        params: all parameters of a model, by path.
        run_state: what `read_run_state` gives back.

    Raises:
        T5MixError: the disk is full.
    """
    with disk_errors(path):
        (path / "run_state").mkdir(parents=True)
        write_safetensors(path / PARAMS_FILE, params, dict.fromkeys(params, "float32"))
        write_json(path / "run_state" / "metadata", dict(run_state))
        write_json(path / CHECKSUMS, checksums(path))
