"""Writing a safetensors file one tensor after the other, so that no more than one is in memory twice."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from t5mix.interop.foreign import Tensor

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
