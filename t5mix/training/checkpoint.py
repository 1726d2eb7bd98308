"""Checkpoints: asynchronous, atomic, checked, and independent of how many devices and processes wrote them.

The only module that knows Orbax. One checkpoint is a folder named after its step with three items: `params` (all
parameters by path), `optimizer` (its state and the step), and `host` (JSON: the data stream, the totals of the open
log window, what the model is). `crc32.json` joins them once they are on disk.
"""

import json
import logging
import zlib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.sharding import SingleDeviceSharding

from t5mix.data.lock import write_json
from t5mix.errors import T5MixError
from t5mix.training.disk import check_room, disk_errors
from t5mix.training.hosts import first
from t5mix.training.state import Params, TrainState

_CHECKSUMS = "crc32.json"

logging.getLogger("absl").setLevel(logging.CRITICAL)  # Orbax logs each stage, and each error that it raises


class DamagedCheckpointError(T5MixError):
    """A checkpoint whose files are not what was written."""


class Checkpoints:
    """The checkpoints of one run; all its processes call each method, in the same order.

    Args:
        folder: where they lie; made if need be.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        options = ocp.CheckpointManagerOptions(create=True, cleanup_tmp_directories=True)
        self._manager = ocp.CheckpointManager(self.folder, options=options)
        self._unchecked: int | None = None

    def steps(self) -> list[int]:
        """Returns the steps that have a complete checkpoint, in order."""
        return first(lambda: sorted(self._manager.all_steps(read=True)))

    def save(self, state: TrainState, host: Mapping[str, Any]) -> None:
        """Copies the state off the devices and writes it in the background.

        Raises:
            T5MixError: the previous checkpoint could not be written, because the disk is full for instance.
        """
        self.finish()
        step = int(state.step)
        if step in self.steps():
            return
        check_room(self.folder, size_of(state))
        rest = {"step": state.step, "optimizer": state.optimizer}
        with disk_errors(self.folder):
            self._manager.save(
                step,
                args=ocp.args.Composite(
                    params=ocp.args.StandardSave(state.params),  # type: ignore[call-arg]
                    optimizer=ocp.args.StandardSave(rest),  # type: ignore[call-arg]
                    host=ocp.args.JsonSave(dict(host)),  # type: ignore[call-arg]
                ),
            )
        self._unchecked = step

    def finish(self) -> None:
        """Waits until what was saved is on disk, and records its checksums."""
        with disk_errors(self.folder):
            self._manager.wait_until_finished()
            self._manager.check_for_errors()
            if self._unchecked is not None:
                path = self._path(self._unchecked)
                first(lambda: write_json(path / _CHECKSUMS, _checksums(path)))
        self._unchecked = None

    def restore(self, step: int, like: TrainState) -> tuple[TrainState, dict[str, Any]]:
        """Reads a checkpoint.

        Args:
            step: one of `steps()`.
            like: shapes, types and shardings wanted; the devices need not be those that wrote it.

        Returns:
            The state and what was saved with it as `host`.

        Raises:
            DamagedCheckpointError: a file is missing or changed; names the last good checkpoint.
        """
        first(lambda: verify(self._path(step)))
        rest = {"step": like.step, "optimizer": like.optimizer}
        try:
            restored = self._manager.restore(
                step,
                args=ocp.args.Composite(
                    params=ocp.args.StandardRestore(like.params),  # type: ignore[call-arg]
                    optimizer=ocp.args.StandardRestore(rest),  # type: ignore[call-arg]
                    host=ocp.args.JsonRestore(),
                ),
            )
        except (ValueError, KeyError, FileNotFoundError) as error:
            raise DamagedCheckpointError(f"The checkpoint {self._path(step)} cannot be read: {error}") from error
        params, optimizer = restored["params"], restored["optimizer"]
        trained = {path: params[path] for path in like.trained}
        frozen = {path: params[path] for path in like.frozen}
        return TrainState(optimizer["step"], trained, frozen, optimizer["optimizer"]), restored["host"]

    def keep(self, steps: Iterable[int]) -> None:
        """Deletes all checkpoints but these and the one being written."""
        wanted = set(steps)
        for step in self.steps():
            if step not in wanted and step != self._unchecked:
                self._manager.delete(step)

    def close(self) -> None:
        """Finishes and ends the background threads."""
        self.finish()
        self._manager.close()

    def _path(self, step: int) -> Path:
        return self.folder / str(step)


def size_of(state: TrainState) -> int:
    """Returns the bytes that a checkpoint of a state holds before compression."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))


def read_host(path: Path) -> dict[str, Any]:
    """Returns what was saved as `host` in the checkpoint at `path`.

    Raises:
        T5MixError: there is no checkpoint.
    """
    file = path / "host" / "metadata"
    if not file.exists():
        raise T5MixError(f"{path} is no checkpoint of t5mix: name a run's folder, or one of its checkpoints/STEP.")
    return json.loads(file.read_text(encoding="utf-8"))


def read_params(path: Path, like: Mapping[str, Any], may_lack: Collection[str] = ()) -> Params:
    """Reads the parameters alone.

    Args:
        path: a checkpoint's folder.
        like: shape, type and optionally sharding of each parameter wanted.
        may_lack: those of them that the checkpoint may lack; they are then left out.

    Raises:
        DamagedCheckpointError: a file is missing or changed.
        T5MixError: the checkpoint has other parameters or shapes.
    """
    first(lambda: verify(path))
    with ocp.StandardCheckpointer() as checkpointer:
        metadata = checkpointer.metadata(path.absolute() / "params")
        saved = {name: tuple(leaf.shape) for name, leaf in metadata.item_metadata.items()}  # type: ignore[union-attr]
        like = {name: leaf for name, leaf in like.items() if name in saved or name not in may_lack}
        wanted = {name: tuple(leaf.shape) for name, leaf in like.items()}
        if saved != wanted:
            differing = sorted(n for n in saved.keys() | wanted.keys() if saved.get(n) != wanted.get(n))
            lines = [f"  {n}: {saved.get(n, 'absent')} there, {wanted.get(n, 'absent')} here" for n in differing[:8]]
            raise T5MixError(f"{path} holds another model; {len(differing)} parameters differ:\n" + "\n".join(lines))
        here = SingleDeviceSharding(jax.local_devices()[0])
        target = {
            name: jax.ShapeDtypeStruct(leaf.shape, np.float32, sharding=getattr(leaf, "sharding", None) or here)
            for name, leaf in like.items()
        }
        return checkpointer.restore(path.absolute() / "params", target)


def verify(path: Path) -> None:
    """Compares a checkpoint's files with the checksums taken when it was written, if it got that far.

    Args:
        path: the checkpoint's folder; the last good one is looked for beside it.

    Raises:
        DamagedCheckpointError: a file is missing or changed.
    """
    problem = _damage(path)
    if problem is None:
        return
    others = [int(entry.name) for entry in path.parent.iterdir() if entry.name.isdigit() and entry.name != path.name]
    good = [step for step in sorted(others, reverse=True) if _damage(path.parent / str(step)) is None]
    advice = (
        f"The last good one is step {good[0]}: delete {path} and start again to continue from there."
        if good
        else f"There is no other in {path.parent}: delete that folder to train from the beginning."
    )
    raise DamagedCheckpointError(f"The checkpoint {path} is damaged: {problem}. {advice}")


def _damage(path: Path) -> str | None:
    file = path / _CHECKSUMS
    if not file.exists():  # the run was killed after the checkpoint was whole and before its checksums were
        return None
    try:
        recorded = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        return f"{_CHECKSUMS} cannot be read"
    found = _checksums(path)
    missing = sorted(recorded.keys() - found.keys())
    if missing:
        return f"{missing[0]} is missing"
    changed = sorted(name for name in recorded if recorded[name] != found[name])
    return f"{changed[0]} does not match its checksum" if changed else None


def _checksums(path: Path) -> dict[str, int]:
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.name != _CHECKSUMS)
    return {str(file.relative_to(path)): zlib.crc32(file.read_bytes()) for file in files}
