"""The tensors in a folder of Transformers: one safetensors file, several with an index, or older pickled files."""

import json
from collections.abc import Mapping
from pathlib import Path

from t5mix.checkpoint.safetensors_files import open_safetensors
from t5mix.checkpoint.tensors import Tensor
from t5mix.errors import T5MixError
from t5mix.interop.torch_files import read_torch_file

_SAFETENSORS, _TORCH = "model.safetensors", "pytorch_model.bin"
_UNREADABLE = {"flax_model.msgpack": "from_flax=True", "tf_model.h5": "from_tf=True"}


def open_tensors(folder: Path) -> dict[str, Tensor]:
    """Returns the tensors of a folder by their names; reads their shapes alone.

    Raises:
        T5MixError: there are none, a file is missing, cut short or no such file, or the index names other tensors.
    """
    for name in (_SAFETENSORS, _TORCH):
        if (folder / name).exists():
            return _open(folder / name)
        if (folder / f"{name}.index.json").exists():
            return _open_sharded(folder, folder / f"{name}.index.json")
    for name, option in _UNREADABLE.items():
        if (folder / name).exists():
            raise T5MixError(
                f"{folder} holds its weights as {name} only. Load it once with Transformers 4 and {option}, and save "
                f"it, which writes {_SAFETENSORS}."
            )
    raise T5MixError(f"{folder} holds no weights: neither {_SAFETENSORS} nor {_TORCH}, nor an index of either.")


def _open_sharded(folder: Path, index_file: Path) -> dict[str, Tensor]:
    try:
        where: Mapping[str, str] = json.loads(index_file.read_text(encoding="utf-8"))["weight_map"]
        files = sorted(set(where.values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise T5MixError(
            f"{index_file} is no index of weights: it must hold a weight_map of tensors to files."
        ) from error
    missing = [name for name in files if Path(name).name != name or not (folder / name).exists()]
    if missing:
        raise T5MixError(
            f"{index_file} names {len(files)} files, of which {len(missing)} are not there: {', '.join(missing[:8])}."
        )
    tensors: dict[str, Tensor] = {}
    for file in files:
        held, named = _open(folder / file), {name for name, of in where.items() if of == file}
        if held.keys() != named:
            differing = sorted(held.keys() ^ named)
            raise T5MixError(
                f"{index_file} and {folder / file} differ in what the file holds, in {differing[0]} for instance."
            )
        tensors |= held
    return tensors


def _open(file: Path) -> dict[str, Tensor]:
    return read_torch_file(file) if file.suffix == ".bin" else open_safetensors(file)
