"""safetensors files, read and written one tensor after the other, so that no more than one is in memory."""

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import safetensors

from t5mix.checkpoint.tensors import Tensor
from t5mix.errors import T5MixError

DTYPES: dict[str, tuple[str, np.dtype[Any]]] = {
    "float32": ("F32", np.dtype(np.float32)),
    "bfloat16": ("BF16", np.dtype(ml_dtypes.bfloat16)),
    "float16": ("F16", np.dtype(np.float16)),
}
"""The types that a model can be written in: the name in the file, and NumPy's."""


def write_safetensors(file: Path, tensors: Mapping[str, Tensor], dtypes: Mapping[str, str]) -> None:
    """Writes tensors.

    Args:
        file: the file, which is not there yet.
        tensors: by name.
        dtypes: the type of each, one of `DTYPES`.
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, tensor in tensors.items():
        code, dtype = DTYPES[dtypes[name]]
        end = offset + int(np.prod(tensor.shape, dtype=np.int64)) * dtype.itemsize
        header[name] = {"dtype": code, "shape": list(tensor.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that the numbers begin at a multiple of eight
    with open(file, "wb") as out:
        out.write(len(text).to_bytes(8, "little"))
        out.write(text)
        for name, tensor in tensors.items():
            values = np.ascontiguousarray(tensor.read(), DTYPES[dtypes[name]][1])
            values.view(np.uint8).tofile(out)


def open_safetensors(file: Path) -> dict[str, Tensor]:
    """Returns the tensors of a file by name; reads their shapes alone.

    Raises:
        T5MixError: it was cut short, or is no such file.
    """
    try:
        with safetensors.safe_open(str(file), framework="numpy") as opened:
            shapes = {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError) as error:
        raise T5MixError(f"{file} is no whole safetensors file: {error}.") from error
    return {name: Tensor(shape, functools.partial(_read, file, name)) for name, shape in shapes.items()}


def _read(file: Path, name: str) -> np.ndarray:
    # Opened each time: what an open file has mapped stays in memory.
    with safetensors.safe_open(str(file), framework="numpy") as opened:
        return opened.get_tensor(name)
