"""What lies in a checkpoint's folder: reading it, checking that it is whole, and finding the base it builds on.

A checkpoint of a run that trains only some parameters of another's holds what differs, and names its base: the
checkpoint that the rest is read from, with the hash of its content. Only this module and `writer` know Orbax.
"""

import functools
import hashlib
import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.sharding import SingleDeviceSharding

from t5mix.checkpoint.integrity import verify
from t5mix.checkpoint.plain_checkpoint import PARAMS_FILE
from t5mix.checkpoint.safetensors_files import open_safetensors
from t5mix.checkpoint.tensors import Tensor
from t5mix.checkpoint.train_state import Params
from t5mix.distributed.processes import run_on_main_process
from t5mix.errors import T5MixError
from t5mix.files import read_json

logging.getLogger("absl").setLevel(logging.CRITICAL)  # Orbax logs each stage, and each error that it raises


class Base(NamedTuple):
    """The checkpoint that another builds on.

    Attributes:
        path: its folder.
        identity: the hash of its parameters (`identity_of`), which stays the same wherever they are kept.
    """

    path: Path
    identity: str

    def to_json(self) -> dict[str, str]:
        """Returns it as a checkpoint's `run_state` item keeps it."""
        return {"path": str(self.path), "identity": self.identity}


class LoadedBase(NamedTuple):
    """A base in memory, for as many checkpoints as build on it.

    Attributes:
        identity: see `Base`.
        params: all its parameters by path.
    """

    identity: str
    params: Params

    @classmethod
    def of(cls, params: Params) -> "LoadedBase":
        """Returns the base that some parameters are."""
        return cls(_hash({name: Tensor.of(leaf) for name, leaf in params.items()}), params)


def base_of(path: Path) -> Base | None:
    """Returns the base of the checkpoint at `path`; None if it holds all its parameters itself."""
    base = read_run_state(path).get("base")
    return Base(Path(base["path"]), base["identity"]) if base else None


def load_base(path: Path) -> LoadedBase:
    """Reads a checkpoint that others build on.

    Raises:
        DamagedCheckpointError: a file is missing or changed.
        T5MixError: there is no checkpoint, or it builds on another itself.
    """
    if base := base_of(path):
        raise T5MixError(f"{path} is no base: it holds only what was trained on top of {base.path}.")
    return LoadedBase.of(read_params(path, saved_shapes(path)))


def open_base(path: Path, base: Base, given: LoadedBase | Path | None = None) -> LoadedBase:
    """Returns the base of the checkpoint at `path`, read unless it is given in memory.

    Args:
        path: the checkpoint.
        base: its base, as it names it.
        given: the base in memory, or the folder that it lies in now; None for where it lay.

    Raises:
        T5MixError: it is missing, or another one than it was.
    """
    if isinstance(given, LoadedBase):
        folder = base.path
    else:
        folder = _folder_of(path, base, given)
        given = load_base(folder)
    check_base(path, base, given.identity, folder)
    return given


def identity_of(path: Path) -> str:
    """Returns the SHA-256 of a checkpoint's parameters: names, shapes and values; each process reads them all.

    Raises:
        DamagedCheckpointError: a file is missing or changed.
    """
    run_on_main_process(lambda: verify(path))
    if (path / PARAMS_FILE).exists():
        return _hash(open_safetensors(path / PARAMS_FILE))
    # At once: Orbax takes ten milliseconds for each parameter that it is asked for alone.
    whole = {name: ocp.RestoreArgs(restore_type=np.ndarray) for name in saved_shapes(path)}
    with ocp.PyTreeCheckpointer() as checkpointer:
        params = checkpointer.restore(path.absolute() / "params", restore_args=whole)
    return LoadedBase.of(params).identity


def check_base(path: Path, base: Base, identity: str, folder: Path) -> None:
    """Refuses a base that is not the one that the checkpoint at `path` was trained on.

    Args:
        path: the checkpoint.
        base: its base, as it names it.
        identity: of the parameters at hand.
        folder: where those lie.

    Raises:
        T5MixError: they differ.
    """
    if identity != base.identity:
        raise T5MixError(
            f"{folder} is not the base of {path}, which was trained on parameters with the hash "
            f"{base.identity[:12]}; here are others, {identity[:12]}. The base was {base.path}."
        )


def _hash(params: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(params.items()):
        values = np.ascontiguousarray(tensor.read(), np.float32)
        digest.update(f"{name} {values.shape}\n".encode())
        digest.update(values.data)
    return digest.hexdigest()


def read_run_state(path: Path) -> dict[str, Any]:
    """Returns what was saved as `run_state` in the checkpoint at `path`.

    Raises:
        T5MixError: there is no checkpoint.
    """
    file = path / "run_state" / "metadata"
    if not file.exists():
        raise T5MixError(f"{path} is no checkpoint of t5mix: name a run's folder, or one of its checkpoints/STEP.")
    return read_json(file)


def saved_shapes(path: Path) -> dict[str, Any]:
    """Returns the shape and type of each parameter that the checkpoint at `path` holds itself."""
    if (path / PARAMS_FILE).exists():
        params = open_safetensors(path / PARAMS_FILE)
        return {name: jax.ShapeDtypeStruct(tensor.shape, np.float32) for name, tensor in params.items()}
    with ocp.StandardCheckpointer() as checkpointer:
        metadata = checkpointer.metadata(path.absolute() / "params").item_metadata
    return {name: jax.ShapeDtypeStruct(leaf.shape, np.float32) for name, leaf in metadata.items()}  # type: ignore[union-attr]


def open_params(path: Path) -> dict[str, Tensor]:
    """Returns the parameters that the checkpoint at `path` holds itself, each read when it is asked for."""
    if (path / PARAMS_FILE).exists():
        return open_safetensors(path / PARAMS_FILE)

    def read(name: str) -> np.ndarray:
        wanted = {name: ocp.RestoreArgs(restore_type=np.ndarray)}
        with ocp.PyTreeCheckpointer() as checkpointer:
            restored = checkpointer.restore(
                path.absolute() / "params",
                args=ocp.args.PyTreeRestore(item={name: 0}, restore_args=wanted, partial_restore=True),  # type: ignore[call-arg]
            )
        return restored[name]

    shapes = saved_shapes(path)
    return {name: Tensor(tuple(leaf.shape), functools.partial(read, name)) for name, leaf in shapes.items()}


def read_params(
    path: Path, like: Mapping[str, Any], may_lack: Collection[str] = (), base: LoadedBase | None = None
) -> Params:
    """Reads a checkpoint's parameters alone, with those of its base where it builds on one.

    Args:
        path: the checkpoint's folder.
        like: shape, type and optionally sharding of each parameter to read.
        may_lack: those of them that the checkpoint may lack; they are then left out.
        base: its base, if that is in memory.

    Raises:
        DamagedCheckpointError: a file is missing or changed.
        T5MixError: the checkpoint has other parameters or shapes, or its base is missing or another one.
    """
    run_on_main_process(lambda: verify(path))
    own_leaves, named_base = saved_shapes(path), base_of(path)
    base_leaves: Mapping[str, Any] = {}
    base_folder = path
    if named_base is not None:
        base_folder = named_base.path if base else _checked_folder(path, named_base)
        base_leaves = base.params if base else saved_shapes(base_folder)
    saved = {name: tuple(leaf.shape) for name, leaf in {**base_leaves, **own_leaves}.items()}
    like = {name: leaf for name, leaf in like.items() if name in saved or name not in may_lack}
    asked = {name: tuple(leaf.shape) for name, leaf in like.items()}
    if saved != asked:
        differing = sorted(n for n in saved.keys() | asked.keys() if saved.get(n) != asked.get(n))
        lines = [f"  {n}: {saved.get(n, 'absent')} there, {asked.get(n, 'absent')} here" for n in differing[:8]]
        raise T5MixError(f"{path} holds another model; {len(differing)} parameters differ:\n" + "\n".join(lines))
    params = _restore(path, {name: leaf for name, leaf in like.items() if name in own_leaves})
    rest = {name: leaf for name, leaf in like.items() if name not in own_leaves}
    if named_base is not None and base is not None:
        return params | {name: base.params[name] for name in rest}
    return params | _restore(base_folder, rest)


def read_base(path: Path, base: Base, like: Mapping[str, Any]) -> Params:
    """Reads some parameters of the base of the run or checkpoint at `path`.

    Raises:
        DamagedCheckpointError: a file is missing or changed.
        T5MixError: the base is missing, or another one than it was.
    """
    return _restore(_checked_folder(path, base), like)


def _checked_folder(path: Path, base: Base) -> Path:
    folder = _folder_of(path, base, None)
    check_base(path, base, identity_of(folder), folder)
    return folder


def _folder_of(path: Path, base: Base, moved: Path | None) -> Path:
    """Returns where the base of a checkpoint lies."""
    folder = moved or base.path
    if not folder.is_dir():
        raise T5MixError(
            f"The base of {path} is missing: {folder} is not there. The checkpoint holds what was trained on top of "
            "it. Put it back, or say where it lies now: --base, or start_from to train on."
        )
    return folder


def _restore(path: Path, like: Mapping[str, Any]) -> Params:
    """Reads some of a checkpoint's parameters."""
    if not like:
        return {}
    one_device = SingleDeviceSharding(jax.local_devices()[0])
    if (path / PARAMS_FILE).exists():
        params = open_safetensors(path / PARAMS_FILE)
        return {name: _placed(params[name].read(), leaf, one_device) for name, leaf in like.items()}
    target = {
        name: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=getattr(leaf, "sharding", None) or one_device)
        for name, leaf in like.items()
    }
    with ocp.PyTreeCheckpointer() as checkpointer:
        return checkpointer.restore(
            path.absolute() / "params",
            args=ocp.args.PyTreeRestore(  # type: ignore[call-arg]
                item=target,
                restore_args=ocp.checkpoint_utils.construct_restore_args(target),
                partial_restore=True,
            ),
        )


def _placed(values: np.ndarray, like: Any, one_device: SingleDeviceSharding) -> jax.Array:
    """Puts values where they are wanted, in the type that they are wanted in; each process its own part."""
    sharding = getattr(like, "sharding", None) or one_device
    return jax.make_array_from_callback(values.shape, sharding, lambda part: values[part].astype(like.dtype))
