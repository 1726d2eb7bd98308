"""A trained model: finding its checkpoint, loading it, asking it."""

import dataclasses
from pathlib import Path
from typing import Any

from flax import nnx

from t5mix.checkpoint.reader import LoadedBase, base_of, open_base, read_params, read_run_state, saved_shapes
from t5mix.checkpoint.train_state import Params
from t5mix.config.reading import policy_from_dict
from t5mix.data.manifest import VocabularyEntry
from t5mix.data.tokenizer import Tokenizer
from t5mix.errors import T5MixError, UnknownNameError
from t5mix.finetuning.base import FineTuningPolicy
from t5mix.finetuning.per_task import bank_of
from t5mix.model.config import T5Config
from t5mix.model.t5 import abstract_model
from t5mix.tracking.run_directory import find_checkpoint


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """A checkpoint ready to use.

    Attributes:
        path: the checkpoint.
        graphdef: the model's structure.
        params: its parameters by path.
        config: its shape.
        tokenizer: text to ids and back.
        vocabulary: what the codec was made of.
        policy: what adapted it.
        base: the checkpoint that its own builds on, in memory; None if that holds everything itself.
    """

    path: Path
    graphdef: nnx.GraphDef[Any]
    params: Params
    config: T5Config
    tokenizer: Tokenizer
    vocabulary: VocabularyEntry
    policy: FineTuningPolicy
    base: LoadedBase | None = None

    def task_id(self, task: str | None) -> int | None:
        """Returns by what number the model knows a task; None where it treats all tasks alike.

        Raises:
            T5MixError: it has a bank, and in it nothing for this task.
        """
        bank = bank_of(self.policy)
        if bank is None:
            return None
        if task is None:
            raise T5MixError(
                f"{self.path} holds a part for each of {', '.join(bank.tasks)}. Say which is to answer (--bank TASK)."
            )
        return bank.task_index(task)

    def switch(self, path: Path) -> "TrainedModel":
        """Loads another checkpoint on the same base, which is not read again.

        Raises:
            T5MixError: it is none, or it was trained on another base.
        """
        base = self.base or LoadedBase.of(self.params)
        return load_model(path, base)


def load_model(path: Path, base: LoadedBase | Path | None = None) -> TrainedModel:
    """Loads a run's latest checkpoint, or the one that `path` is.

    Args:
        path: a run's folder, or a checkpoint's.
        base: the checkpoint that this one builds on, or where it lies now; None for where it lay.

    Raises:
        T5MixError: there is no checkpoint, it is damaged, its base is missing or another one, or its vocabulary's file
            is gone or changed.
    """
    path = find_checkpoint(path)
    run_state = read_run_state(path)
    config, vocabulary = T5Config(**run_state["model"]), VocabularyEntry(**run_state["vocabulary"])
    policy = policy_from_dict(run_state["finetuning"])
    policy = bank.for_inference() if (bank := bank_of(policy)) else policy
    graphdef, shapes = abstract_model(config, policy.adapt)
    below = base_of(path)
    if below is None and isinstance(base, Path):
        raise T5MixError(f"{path} holds all its parameters itself; it has no base.")
    opened = None if below is None else open_base(path, below, base)
    params = read_params(path, shapes, base=opened)
    if below is not None and run_state["frozen_dtype"] != "float32":  # as they were while it was trained
        rest = [name for name, leaf in params.items() if leaf.ndim > 1 and name not in saved_shapes(path)]
        params |= {name: params[name].astype(run_state["frozen_dtype"]) for name in rest}
    tokenizer = Tokenizer(vocabulary)
    return TrainedModel(path, graphdef, params, config, tokenizer, vocabulary, policy, opened)


def base_path(name: str | None) -> Path | None:
    """Returns the checkpoint that `--base` names; None if it was not given."""
    return find_checkpoint(Path(name)) if name else None


def checkpoint_of(run: Path, which: str) -> Path:
    """Returns one of a run's checkpoints.

    Args:
        run: the run's folder.
        which: "latest", a step, or the name of a task for the best one on its validation split.

    Raises:
        T5MixError: there is no such checkpoint.
    """
    latest = find_checkpoint(run)
    if which == "latest" or latest == run:
        return latest
    step = which
    if not which.isdigit():
        best = read_run_state(latest)["best"]
        if which not in best:
            raise UnknownNameError("checkpoint", which, ["latest", *best], "A step is a number; a task means its best.")
        step = str(best[which]["step"])
    path = latest.parent / step
    if not path.is_dir():
        steps = sorted((p.name for p in latest.parent.iterdir() if p.name.isdigit()), key=int)
        raise T5MixError(f"{run} has no checkpoint at step {step}. It has {', '.join(steps)}.")
    return path
