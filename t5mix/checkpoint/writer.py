"""Checkpoints: asynchronous, atomic, checked, and independent of how many devices and processes wrote them.

One checkpoint is a folder named after its step with three items: `params` (the parameters by path: all, or those that
differ from the base that `run_state` names), `optimizer` (its state and the step), and `run_state` (JSON: the data
stream, the totals of the open log window, what the model is). `crc32.json` joins them once they are on disk. Only this
module and `reader` know Orbax.
"""

import shutil
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from t5mix.checkpoint.integrity import CHECKSUMS, DamagedCheckpointError, checksums, verify
from t5mix.checkpoint.train_state import Params, TrainState
from t5mix.distributed.processes import run_on_main_process
from t5mix.files import check_room, disk_errors, write_json


class Checkpoints:
    """The checkpoints of one run; all its processes call each method, in the same order.

    Args:
        folder: where they lie; made if need be.
        from_base: the parameters, by path, that they need not hold, because a base does.
    """

    def __init__(self, folder: Path, from_base: Collection[str] = ()) -> None:
        self._from_base = frozenset(from_base)
        self.folder = folder.absolute()
        run_on_main_process(lambda: _delete_unfinished(self.folder))
        options = ocp.CheckpointManagerOptions(create=True)
        self._manager = ocp.CheckpointManager(self.folder, options=options)
        # Read once: nobody else writes there, and Orbax would read every checkpoint's metadata each time.
        self._complete: list[int] = run_on_main_process(lambda: sorted(self._manager.all_steps(read=True)))
        self._unchecked: int | None = None

    def steps(self) -> list[int]:
        """Returns the steps that have a complete checkpoint, in order."""
        return list(self._complete)

    def save(self, state: TrainState, run_state: Mapping[str, Any]) -> None:
        """Copies the state off the devices and writes it in the background.

        Raises:
            T5MixError: the previous checkpoint could not be written, because the disk is full for instance.
        """
        self.finish()
        step = int(state.step)
        if step in self._complete:
            return
        params = self._own(state)
        check_room(self.folder, size_of((params, state.optimizer)))
        rest = {"step": state.step, "optimizer": state.optimizer}
        with disk_errors(self.folder):
            self._manager.save(
                step,
                args=ocp.args.Composite(
                    params=ocp.args.StandardSave(params),  # type: ignore[call-arg]
                    optimizer=ocp.args.StandardSave(rest),  # type: ignore[call-arg]
                    run_state=ocp.args.JsonSave(dict(run_state)),  # type: ignore[call-arg]
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
                run_on_main_process(lambda: write_json(path / CHECKSUMS, checksums(path)))
                self._complete.append(self._unchecked)
        self._unchecked = None

    def restore(
        self, step: int, like: TrainState, base: Mapping[str, jax.Array] | None = None
    ) -> tuple[TrainState, dict[str, Any]]:
        """Reads a checkpoint.

        Args:
            step: one of `steps()`.
            like: shapes, types and shardings to restore to; the devices need not be those that wrote it.
            base: the parameters that it leaves out.

        Returns:
            The state and what was saved with it as `run_state`.

        Raises:
            DamagedCheckpointError: a file is missing or changed; names the last good checkpoint.
        """
        run_on_main_process(lambda: verify(self._path(step)))
        rest = {"step": like.step, "optimizer": like.optimizer}
        try:
            restored = self._manager.restore(
                step,
                args=ocp.args.Composite(
                    params=ocp.args.StandardRestore(self._own(like)),  # type: ignore[call-arg]
                    optimizer=ocp.args.StandardRestore(rest),  # type: ignore[call-arg]
                    run_state=ocp.args.JsonRestore(),
                ),
            )
        except (ValueError, KeyError, FileNotFoundError) as error:
            raise DamagedCheckpointError(f"The checkpoint {self._path(step)} cannot be read: {error}") from error
        params, optimizer = {**(base or {}), **restored["params"]}, restored["optimizer"]
        trained = {path: params[path] for path in like.trained}
        frozen = {path: params[path] for path in like.frozen}
        return TrainState(optimizer["step"], trained, frozen, optimizer["optimizer"]), restored["run_state"]

    def keep(self, steps: Iterable[int]) -> None:
        """Deletes all checkpoints but these and the one being written."""
        kept = set(steps)
        for step in self.steps():
            if step not in kept:
                self._manager.delete(step)
                self._complete.remove(step)

    def close(self) -> None:
        """Finishes and ends the background threads."""
        self.finish()
        self._manager.close()

    def _own(self, state: TrainState) -> Params:
        return {path: leaf for path, leaf in state.params.items() if path not in self._from_base}

    def _path(self, step: int) -> Path:
        return self.folder / str(step)


def _delete_unfinished(folder: Path) -> None:
    """Deletes what a process that was killed had begun to write; Orbax would do so in a thread that `close` forgets."""
    for unfinished in folder.glob(f"*{ocp.utils.TMP_DIR_SUFFIX}*"):
        shutil.rmtree(unfinished)


def size_of(tree: Any) -> int:
    """Returns the bytes of all arrays of a tree."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
