"""What determines the token store of a seqio task, as a JSON-able description.

Two descriptions are equal exactly when the stores would be. They hold contents, not places: files by their
hash, functions by their source, along with what they capture and the functions of their own code base that
they call. Anything else that is not plain data counts by its class and representation.
"""

import ast
import dataclasses
import functools
import hashlib
import importlib.metadata
import inspect
import re
import sys
import textwrap
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from t5mix.cache.file_identity import file_identity
from t5mix.cache.seqio_vocabularies import describe_vocabulary
from t5mix.data.token_store import FEATURES, FORMAT
from t5mix.files import sha256_of, sha256_of_json, sha256_of_text
from t5mix.sources.seqio_sources import FileRowsDataSource
from t5mix.tensorflow_setup import seqio, tf


def describe(
    task: seqio.Task, split: str, sequence_length: Mapping[str, int], seed: int | None, source_shards: int = 1
) -> dict[str, Any]:
    """Returns all that determines the store of one split of a task.

    Args:
        task: the task, with the vocabulary in force.
        split: the split.
        sequence_length: the lengths of inputs and targets, in tokens.
        seed: what random preprocessors draw from; None where nothing is drawn.
        source_shards: how many shards the split is read in. Where there are several, files count by size and time of
            change, as hashing them could take hours.
    """
    return {
        **({"shards": source_shards} if source_shards > 1 else {}),
        "task": task.name,
        "split": split,
        "lengths": {name: sequence_length[name] for name in FEATURES},
        "features": {name: _describe_feature(task.output_features[name]) for name in FEATURES},
        "source": _describe_source(task.source, split, hashed=source_shards == 1),
        "preprocessors": [_Describer().value(step) for step in task.preprocessors],
        "seed": seed,
        "seqio": importlib.metadata.version("seqio"),
        "store": FORMAT,
    }


def _describe_feature(feature: Any) -> dict[str, Any]:
    entry = describe_vocabulary(feature.vocabulary)
    return {
        "vocabulary": [entry.kind, entry.sha256, entry.extra_ids, entry.size],
        "add_eos": feature.add_eos,
    }


def _describe_source(source: Any, split: str, *, hashed: bool) -> dict[str, Any]:
    described: dict[str, Any] = {"class": f"{type(source).__module__}.{type(source).__qualname__}"}
    if isinstance(source, FileRowsDataSource):
        return {
            **described,
            "options": _Describer().value(source.options),
            "files": [[part, *_identities(files, hashed)] for part, files in source.contents(split)],
        }
    if isinstance(source, seqio.TfdsDataSource):
        loader = source.tfds_dataset
        mapped = getattr(source, "_splits", ())
        mapped = mapped.get(split, split) if isinstance(mapped, Mapping) else split
        split_map = getattr(loader, "_split_map", None) or {}
        name, folder = loader.get_split_params(split)
        return {**described, "name": name, "data_dir": folder, "split": str(split_map.get(split, mapped))}
    if isinstance(source, seqio.FunctionDataSource):
        function = source._dataset_fn
        return {**described, "function": _Describer().value(function), "code": _code_behind(function)}
    if isinstance(source, seqio.FileDataSource):
        patterns = source._split_to_filepattern[split]
        files = sorted(tf.io.gfile.glob(patterns if isinstance(patterns, str) else list(patterns)))
        reader = _Describer().value(source._reader)
        return {
            **described,
            "reader": reader,
            "files": _identities(files, hashed),
        }
    attributes = {name: value for name, value in vars(source).items() if name != "_splits"}
    return {**described, "attributes": _Describer().value(attributes), "code": _code_behind(type(source))}


def _identities(files: Sequence[str | Path], hashed: bool) -> list[Any]:
    return [file_identity(file, hashed=hashed, state=_remote_state) for file in files]


def _remote_state(path: str) -> tuple[int, int]:
    try:
        state = tf.io.gfile.stat(path)
    except tf.errors.OpError as error:
        raise FileNotFoundError(path) from error
    return state.length, state.mtime_nsec


def _code_behind(thing: Any) -> str:
    """Returns a hash of the Python files that a function or class of the user's may call.

    Those are its module and, directly or not, the modules of its own package whose contents it names; of a
    built-in task, of t5mix.tasks.
    """
    while isinstance(thing, functools.partial):
        thing = thing.func
    start = getattr(thing, "__module__", None) or type(thing).__module__
    scope = "t5mix.tasks" if start.startswith("t5mix.tasks.") else start.split(".")[0]
    files: dict[str, str] = {}
    waiting = [start]
    while waiting:
        name = waiting.pop()
        module = sys.modules.get(name)
        file = getattr(module, "__file__", None)
        if name in files or file is None or not f"{name}.".startswith(f"{scope}."):
            continue
        files[name] = sha256_of(Path(file))
        for value in vars(module).values():
            is_module = isinstance(value, types.ModuleType)
            waiting.append(value.__name__ if is_module else str(getattr(value, "__module__", "")))
    return sha256_of_json(files)


class _Describer:
    """Turns values into JSON-able ones, each function once."""

    def __init__(self) -> None:
        self._seen: dict[int, Any] = {}  # holds the values too, or an id could come back for another one

    def value(self, value: Any) -> Any:
        """Returns a JSON-able description of any value."""
        if value is None or isinstance(value, str | int | float | bool):
            return value
        if isinstance(value, bytes):
            return ["bytes", hashlib.sha256(value).hexdigest()]
        if isinstance(value, np.ndarray | np.generic):
            return ["array", str(value.dtype), list(value.shape), hashlib.sha256(value.tobytes()).hexdigest()]
        if isinstance(value, Mapping):
            return {str(key): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        if isinstance(value, set | frozenset):
            return sorted((self.value(item) for item in value), key=str)
        if isinstance(value, seqio.Vocabulary):
            entry = describe_vocabulary(value)
            return [entry.kind, entry.sha256, entry.extra_ids]
        return self._code(value)

    def _code(self, value: Any) -> Any:
        """Describes what can be called, and objects of any class."""
        if id(value) in self._seen:
            return _name(value)
        self._seen[id(value)] = value
        if isinstance(value, functools.partial):
            return {
                "partial": self.value(value.func),
                "args": self.value(value.args),
                "kwargs": self.value(value.keywords),
            }
        if isinstance(value, types.MethodType):
            return {"method": self.value(value.__func__), "self": self.value(value.__self__)}
        if isinstance(value, types.FunctionType):
            return self._function(value)
        if isinstance(value, type | types.ModuleType | types.BuiltinFunctionType):
            return {"name": _name(value), "source": _source(value) if _is_own(value) else None}
        described = {"class": _name(type(value)), "source": _source(type(value))}
        if dataclasses.is_dataclass(value):
            fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        elif _is_own(type(value)) and hasattr(value, "__dict__"):
            fields = vars(value)
        else:  # a library's object can lead to all of TensorFlow
            return {**described, "repr": re.sub(r" at 0x[0-9a-f]+", "", repr(value))}
        return {**described, "fields": self.value(fields)}

    def _function(self, function: types.FunctionType) -> dict[str, Any]:
        cells = function.__closure__ or ()
        captured = {}
        for name, cell in zip(function.__code__.co_freevars, cells, strict=True):
            try:
                captured[name] = self.value(cell.cell_contents)
            except ValueError:  # a name that is bound later, or never
                captured[name] = "unbound"
        described = {
            "name": _name(function),
            "source": _source(function),
            "captured": captured,
            "defaults": self.value([function.__defaults__ or (), function.__kwdefaults__ or {}]),
        }
        if _is_own(function):
            used = sorted(_global_names(function.__code__) & function.__globals__.keys())
            root = _root(function)
            described["globals"] = {
                name: self.value(value)
                for name in used
                if _is_data(value := function.__globals__[name]) or _root(value) == root
            }
        return described


def _is_data(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool | bytes | list | tuple | dict | frozenset)


def _name(value: Any) -> str:
    module = getattr(value, "__module__", "") or ""
    return f"{module}.{getattr(value, '__qualname__', getattr(value, '__name__', ''))}"


def _root(value: Any) -> str:
    """Returns the top-level package of a function's or class's module; of a module too."""
    module = value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None)
    return str(module or type(value).__module__).split(".")[0]


def _is_own(value: Any) -> bool:
    """Whether code belongs to t5mix or to the user, rather than to an installed library."""
    if _root(value) == "t5mix":
        return True
    module = sys.modules.get(getattr(value, "__module__", "") or "")
    file = getattr(module, "__file__", None)
    return file is not None and "site-packages" not in file and not file.startswith(sys.base_prefix + "/lib")


def _global_names(code: types.CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _global_names(constant)
    return names


@functools.lru_cache(maxsize=4096)
def _source(thing: Callable[..., Any] | type) -> str:
    """Returns a hash of the source: of its syntax tree where that can be had, so that comments do not count."""
    try:
        source = textwrap.dedent(inspect.getsource(thing))
    except (OSError, TypeError):  # typed in at a prompt, or written in C
        code = getattr(thing, "__code__", None)
        return sha256_of_text(repr((code.co_code, code.co_names))) if code is not None else _name(thing)
    try:
        return sha256_of_text(ast.unparse(ast.parse(source)))
    except SyntaxError:  # the source of a lambda can begin inside an expression
        return sha256_of_text(source)
