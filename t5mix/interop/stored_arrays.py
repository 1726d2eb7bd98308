"""The arrays of a T5X checkpoint: zarr folders beside its msgpack file, or bytes inside it."""

import dataclasses
import functools
import itertools
import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from t5mix.errors import T5MixError
from t5mix.interop.msgpack_index import Bytes, Extension, index_msgpack

CHUNKED = "__msgpack_chunked_array__"
"""The key that marks a mapping as an array too large for one value of msgpack."""

_TYPES = {"float64": np.float64, "float32": np.float32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16}
_ZARR_TYPES = {"<f8": "float64", "<f4": "float32", "<f2": "float16", "bfloat16": "bfloat16"}


@dataclasses.dataclass(frozen=True)
class StoredArray:
    """An array on disk.

    Attributes:
        shape: its shape.
        open: returns something of that shape to index.
    """

    shape: tuple[int, ...]
    open: Callable[[], Any]

    def load(self) -> np.ndarray:
        """Returns its values.

        Raises:
            T5MixError: its files are damaged.
        """
        try:
            return np.array(self.open()[()])
        except ValueError as error:  # TensorStore names the file
            raise T5MixError(f"The checkpoint is damaged: {error}") from error


def zarr_array(folder: Path) -> StoredArray:
    """The array of a zarr folder, which must have all its chunks.

    Raises:
        T5MixError: it is not there, is damaged or has another type than floating-point numbers.
    """
    try:
        header = json.loads((folder / ".zarray").read_text(encoding="utf-8"))
        shape, chunks, type_name = tuple(header["shape"]), header["chunks"], header["dtype"]
        counts = [math.ceil(size / chunk) for size, chunk in zip(shape, chunks, strict=True)]
        separator = header.get("dimension_separator", ".")
    except OSError as error:
        raise T5MixError(f"{folder} is missing, or has no file .zarray: copy the whole checkpoint.") from error
    except (ValueError, KeyError, TypeError, ArithmeticError) as error:
        raise T5MixError(f"{folder / '.zarray'} does not describe an array: {error}") from error
    if type_name not in _ZARR_TYPES:
        hint = " Old versions of T5X wrote bfloat16 so: save it anew with T5X." if type_name == "<u2" else ""
        raise T5MixError(f"{folder} has the type {type_name}; it must be one of {', '.join(_ZARR_TYPES)}.{hint}")
    # zarr reads a chunk that is not there as zeros.
    found = {os.path.relpath(os.path.join(base, name), folder) for base, _, names in os.walk(folder) for name in names}
    for position in itertools.product(*(range(count) for count in counts)):
        name = separator.join(map(str, position)) or "0"
        if name not in found:
            raise T5MixError(f"{folder / name} is missing: copy the whole checkpoint.")
    return StoredArray(shape, functools.partial(_open_zarr, folder))


def _open_zarr(folder: Path) -> Any:
    import tensorstore as ts

    spec = {"driver": "zarr", "kvstore": {"driver": "file", "path": str(folder.absolute())}}
    return ts.open(spec, open=True, read=True).result()


def inline_array(data: Any, value: Extension | Mapping[str, Any]) -> StoredArray:
    """The array that flax packed into a msgpack file, whole or in chunks.

    Args:
        data: the file, mapped into memory.
        value: what `index_msgpack` found there.

    Raises:
        T5MixError: it is not an array of floating-point numbers.
    """
    if not isinstance(value, Extension):
        shape = tuple(value["shape"][str(i)] for i in range(len(value["shape"])))
        parts = [_packed(data, value["chunks"][str(i)]) for i in range(len(value["chunks"]))]
        return StoredArray(shape, lambda: np.concatenate([part.open() for part in parts]).reshape(shape))
    return _packed(data, value)


def _packed(data: Any, value: Extension) -> StoredArray:
    shape, type_name, content = index_msgpack(data, value.start, value.end)
    if type_name not in _TYPES or not isinstance(content, Bytes):
        raise T5MixError(f"it holds an array of the type {type_name}; it must be one of {', '.join(_TYPES)}")
    dtype = np.dtype(_TYPES[type_name])
    if math.prod(shape) * dtype.itemsize != content.end - content.start:
        raise T5MixError(f"it holds an array {shape} of {type_name} in {content.end - content.start} bytes")
    return StoredArray(tuple(shape), lambda: np.frombuffer(data, dtype, math.prod(shape), content.start).reshape(shape))
