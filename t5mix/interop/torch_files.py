"""PyTorch's files of weights (`torch.save`), read without PyTorch and without running what they carry.

Such a file is a zip archive: `data.pkl` holds the structure, `data/KEY` the bytes of each storage. A pickle may call
anything; this reader knows the few functions that rebuild tensors, and refuses the file at the first other one.
"""

import collections
import io
import math
import pickle
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from t5mix.checkpoint.tensors import Tensor
from t5mix.errors import T5MixError

_TYPES = {
    "FloatStorage": np.dtype(np.float32),
    "HalfStorage": np.dtype(np.float16),
    "BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
    "DoubleStorage": np.dtype(np.float64),
}


class _Storage(NamedTuple):
    """The bytes that a tensor, or several, look into."""

    key: str
    dtype: np.dtype[Any]


class _View(NamedTuple):
    """A tensor: where in a storage its numbers lie; offset and strides count numbers."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_torch_file(file: Path) -> dict[str, Tensor]:
    """Returns the tensors of a state dictionary by their names; reads the structure alone.

    Raises:
        T5MixError: the file is cut short, older than PyTorch 1.6, holds something else, or wants to run something.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            folder = next(name for name in archive.namelist() if name.endswith("data.pkl")).removesuffix("data.pkl")
            views = _Unpickler(io.BytesIO(archive.read(f"{folder}data.pkl"))).load()
    except (zipfile.BadZipFile, StopIteration) as error:
        reason = str(error) or "data.pkl is missing"
        raise T5MixError(
            f"{file} is no whole file of weights as PyTorch 1.6 and later write it: {reason}. "
            "Get it again, or save the model as safetensors."
        ) from error
    except pickle.UnpicklingError as error:
        raise T5MixError(f"{file} is not read: {error}") from error
    except Exception as error:  # a pickle that is cut short or made up ends in any of them
        raise T5MixError(f"{file} is no file of weights: its data.pkl cannot be read ({error}).") from error
    if not isinstance(views, dict) or not all(isinstance(view, _View) for view in views.values()):
        raise T5MixError(f"{file} holds something else than a dictionary of tensors (model.state_dict()).")
    return {name: Tensor(view.shape, lambda view=view: _read(file, folder, view)) for name, view in views.items()}


def _read(file: Path, folder: str, view: _View) -> np.ndarray:
    itemsize = view.storage.dtype.itemsize
    last = view.offset + sum((size - 1) * stride for size, stride in zip(view.shape, view.strides, strict=True))
    with zipfile.ZipFile(file) as archive:
        data = archive.read(f"{folder}data/{view.storage.key}")
    if (
        view.offset < 0
        or min(view.strides, default=0) < 0
        or (math.prod(view.shape) and (last + 1) * itemsize > len(data))
    ):
        raise T5MixError(f"{file} is damaged: a tensor reaches beyond the {len(data):,} bytes of its storage.")
    numbers = np.frombuffer(data, view.storage.dtype)[view.offset :]
    strides = tuple(stride * itemsize for stride in view.strides)
    return np.lib.stride_tricks.as_strided(numbers, view.shape, strides, writeable=False)


class _Unpickler(pickle.Unpickler):
    """Rebuilds a state dictionary with `_View`s for tensors, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return _rebuild_parameter
        if module == "torch" and name in _TYPES:
            return _TYPES[name]
        if module == "torch" and name.endswith("Storage"):
            raise pickle.UnpicklingError(f"it holds a {name}, and weights are floating-point numbers.")
        raise pickle.UnpicklingError(
            f"it wants to call {module}.{name}, which no file of weights needs. If you trust it, load it where it "
            "comes from, and save the weights as safetensors."
        )

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, *_ = pid
        if kind != "storage" or not isinstance(dtype, np.dtype):
            raise pickle.UnpicklingError(f"it refers to {pid!r}, which is no storage of floating-point numbers.")
        return _Storage(str(key), dtype)


def _rebuild_tensor(storage: _Storage, offset: int, shape: Any, strides: Any, *_: Any) -> _View:
    return _View(storage, offset, tuple(shape), tuple(strides))


def _rebuild_parameter(view: _View, *_: Any) -> _View:
    return view
