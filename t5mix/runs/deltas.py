"""Deltas: checkpoints that hold what was trained on top of a base. Inspecting them, merging them, extracting a task."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from t5mix.checkpoint.reader import Base, base_of, identity_of, saved_shapes
from t5mix.config.reading import policy_to_dict
from t5mix.errors import T5MixError
from t5mix.files import check_writable
from t5mix.finetuning import FineTuningPolicy, Full
from t5mix.runs.load import CheckpointMetadata, TrainedModel, load_model
from t5mix.runs.new_checkpoint import write_checkpoint
from t5mix.tracking.run_directory import find_checkpoint, kept_vocabulary


@dataclasses.dataclass(frozen=True)
class CheckpointContents:
    """What a checkpoint holds.

    Attributes:
        path: its folder.
        policy: what trained it, as plain data.
        base: what it builds on; None if it holds everything itself.
        saved: number of parameters that it holds.
        total: number of parameters of its model.
        identity: the hash that names it as a base for others; None if it builds on one itself.
    """

    path: Path
    policy: dict[str, Any]
    base: Base | None
    saved: int
    total: int
    identity: str | None


def inspect_checkpoint(path: Path) -> CheckpointContents:
    """Returns what the checkpoint of a run, or the one at `path`, holds.

    Raises:
        T5MixError: there is none.
    """
    path = find_checkpoint(path)
    metadata, base = CheckpointMetadata.read(path), base_of(path)
    return CheckpointContents(
        path=path,
        policy=policy_to_dict(metadata.policy),
        base=base,
        saved=sum(leaf.size for leaf in saved_shapes(path).values()),
        total=sum(leaf.size for leaf in metadata.parameter_shapes().values()),
        identity=None if base else identity_of(path),
    )


def merge_delta(path: Path, out: Path, *, base: Path | None = None, task: str | None = None) -> Path:
    """Writes the plain model that computes what an adapted one does.

    Args:
        path: a run's folder, or a checkpoint's.
        out: a folder that does not exist yet; the checkpoint is written under it.
        base: where the checkpoint's base lies now; None for where it lay.
        task: the task of a bank whose modules are to be merged.

    Returns:
        The folder of the new checkpoint, with which runs may start (`start_from`).

    Raises:
        T5MixError: there is no checkpoint, the policy's additions cannot be merged, or `out` exists.
    """
    model = _load(path, out, base)
    policy, params = model.single_task(task)
    return _write(out, model.path, Full(), policy.merged(params))


def extract_task(path: Path, out: Path, task: str, *, base: Path | None = None) -> Path:
    """Writes the modules of one task of a bank as a checkpoint of their own, on the same base.

    The arguments and errors are those of `merge_delta`.
    """
    model = _load(path, out, base)
    if model.policy.bank is None:
        raise T5MixError(f"{model.path} holds no bank: all tasks share its modules.")
    policy, params = model.single_task(task)
    recorded = base_of(model.path)
    if recorded is not None:
        saved = saved_shapes(model.path)
        params = {name: leaf for name, leaf in params.items() if name in saved}
    return _write(out, model.path, policy, params, recorded)


def _load(path: Path, out: Path, base: Path | None) -> TrainedModel:
    if out.exists():
        raise T5MixError(f"{out} exists already. Name a folder that does not.")
    check_writable(out, "OUT")
    return load_model(path, base)


def _write(
    out: Path, source: Path, policy: FineTuningPolicy, params: Mapping[str, jax.Array], base: Base | None = None
) -> Path:
    """Writes a checkpoint that was made from the one at `source`, at the same step."""
    metadata = CheckpointMetadata.read(source)
    metadata = dataclasses.replace(metadata, policy=policy, vocabulary=kept_vocabulary(metadata.vocabulary, source))
    origin = {**({"base": base.to_json()} if base else {}), "made_from": str(source)}
    write_checkpoint(out, metadata, params, origin, int(source.name) if source.name.isdigit() else 0)
    return find_checkpoint(out)
