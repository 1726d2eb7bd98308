"""Deltas: checkpoints that hold what was trained on top of a base. Looking at them, merging them, taking them apart."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from t5mix.checkpoint.reader import Base, base_of, identity_of, read_run_state, saved_shapes
from t5mix.checkpoint.train_state import TrainState
from t5mix.checkpoint.writer import Checkpoints
from t5mix.config.reading import policy_from_dict, policy_to_dict
from t5mix.errors import T5MixError
from t5mix.finetuning import Full
from t5mix.finetuning.base import FineTuningPolicy, merged
from t5mix.finetuning.per_task import bank_of
from t5mix.model.config import T5Config
from t5mix.model.t5 import abstract_model
from t5mix.runs.load import load_model
from t5mix.tracking.run_directory import find_checkpoint


@dataclasses.dataclass(frozen=True)
class Contents:
    """What a checkpoint holds.

    Attributes:
        path: its folder.
        policy: what trained it, as plain data.
        base: what it builds on; None if it holds everything itself.
        own: number of parameters that it holds.
        total: number of parameters of its model.
        identity: the hash that names it as a base for others; None if it builds on one itself.
    """

    path: Path
    policy: dict[str, Any]
    base: Base | None
    own: int
    total: int
    identity: str | None


def look(path: Path) -> Contents:
    """Returns what the checkpoint of a run, or the one at `path`, holds.

    Raises:
        T5MixError: there is none.
    """
    path = find_checkpoint(path)
    run_state = read_run_state(path)
    shapes = abstract_model(T5Config(**run_state["model"]), policy_from_dict(run_state["finetuning"]).adapt)[1]
    base = base_of(path)
    return Contents(
        path=path,
        policy=run_state["finetuning"],
        base=base,
        own=sum(leaf.size for leaf in saved_shapes(path).values()),
        total=sum(leaf.size for leaf in shapes.values()),
        identity=None if base else identity_of(path),
    )


def merge_delta(path: Path, out: Path, *, base: Path | None = None, task: str | None = None) -> Path:
    """Writes the plain model that computes what an adapted one does.

    Args:
        path: a run's folder, or a checkpoint's.
        out: a folder that does not exist yet; the checkpoint is written under it.
        base: where the checkpoint's base lies now; None for where it lay.
        task: the task of a bank whose parts are to be merged.

    Returns:
        The folder of the new checkpoint, with which runs may start (`start_from`).

    Raises:
        T5MixError: there is no checkpoint, the policy's additions cannot be merged, or `out` exists.
    """
    model = _checked(path, out, base)
    policy, params = _alone(model.policy, dict(model.params), task)
    return _write(out, model.path, Full(), merged(policy, params))


def extract_task(path: Path, out: Path, task: str, *, base: Path | None = None) -> Path:
    """Writes one task's part of a bank as a checkpoint of its own, on the same base.

    The arguments and errors are those of `merge_delta`.
    """
    model = _checked(path, out, base)
    if bank_of(model.policy) is None:
        raise T5MixError(f"{model.path} holds no bank, but one part for all tasks.")
    policy, params = _alone(model.policy, dict(model.params), task)
    own, below = saved_shapes(model.path), base_of(model.path)
    held = params if below is None else {name: leaf for name, leaf in params.items() if name in own}
    return _write(out, model.path, policy, held, below)


def _checked(path: Path, out: Path, base: Path | None) -> Any:
    if out.exists():
        raise T5MixError(f"{out} exists already. Name a folder that does not.")
    return load_model(path, base)


def _alone(
    policy: FineTuningPolicy, params: dict[str, Any], task: str | None
) -> tuple[FineTuningPolicy, dict[str, Any]]:
    """Returns a bank's policy and parameters for one task alone; of models without a bank all there is."""
    bank = bank_of(policy)
    if bank is None:
        if task is not None:
            raise T5MixError(f"The model holds no bank, and nothing of {task!r} alone.")
        return policy, params
    if task is None:
        raise T5MixError(f"The model holds a bank. Name a task of it (--task): {', '.join(bank.tasks)}.")
    return bank.alone(params, task)


def _write(
    out: Path, source: Path, policy: FineTuningPolicy, params: Mapping[str, jax.Array], base: Base | None = None
) -> Path:
    """Writes a checkpoint that was made of the one at `source`, at the same step."""
    run_state = read_run_state(source)
    about = {key: run_state[key] for key in ("model", "vocabulary", "frozen_dtype")}
    step = jnp.int32(int(source.name)) if source.name.isdigit() else jnp.int32(0)
    state = TrainState(step, {name: jnp.asarray(leaf, jnp.float32) for name, leaf in params.items()}, {}, ())
    checkpoints = Checkpoints(out / "checkpoints")
    held = {"base": base.to_json()} if base else {}
    checkpoints.save(
        state, {**about, **held, "finetuning": policy_to_dict(policy), "made_from": str(source), "best": {}}
    )
    checkpoints.close()
    return find_checkpoint(out)
