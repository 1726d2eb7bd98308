"""A trained model: what its checkpoint says of itself, finding it, loading it."""

import dataclasses
from pathlib import Path
from typing import Any

from flax import nnx

from t5mix.checkpoint.reader import LoadedBase, base_of, open_base, read_params, read_run_state, saved_shapes
from t5mix.checkpoint.train_state import Params
from t5mix.config.reading import policy_from_dict, policy_to_dict
from t5mix.data.manifest import VocabularyEntry
from t5mix.data.tokenizer import Tokenizer
from t5mix.errors import T5MixError, UnknownNameError
from t5mix.finetuning.base import POLICIES, BoundPolicy, FineTuningPolicy
from t5mix.model.config import T5Config
from t5mix.model.t5 import abstract_model
from t5mix.tracking.run_directory import find_checkpoint, kept_vocabulary


@dataclasses.dataclass(frozen=True)
class CheckpointMetadata:
    """What a checkpoint says of itself, besides a run's state.

    Attributes:
        model: the shape of its model.
        policy: what trained it, with the tasks of a bank filled in.
        vocabulary: what its token ids mean.
        frozen_dtype: the type that frozen matrices had while it was trained.
    """

    model: T5Config
    policy: FineTuningPolicy
    vocabulary: VocabularyEntry
    frozen_dtype: str

    @classmethod
    def read(cls, checkpoint: Path) -> "CheckpointMetadata":
        """Reads the metadata of the checkpoint at a path."""
        run_state = read_run_state(checkpoint)
        return cls(
            model=T5Config(**run_state["model"]),
            policy=policy_from_dict(run_state["finetuning"]),
            vocabulary=VocabularyEntry(**run_state["vocabulary"]),
            frozen_dtype=run_state["frozen_dtype"],
        )

    def to_json(self) -> dict[str, Any]:
        """Returns the entries of a checkpoint's run state that `read` reads."""
        return {
            "model": dataclasses.asdict(self.model),
            "finetuning": policy_to_dict(self.policy),
            "frozen_dtype": self.frozen_dtype,
            "vocabulary": dataclasses.asdict(self.vocabulary),
        }

    @property
    def kind(self) -> str:
        """The kind of the policy."""
        return POLICIES.kind_of(self.policy)

    def parameter_shapes(self) -> dict[str, Any]:
        """Returns the shapes of all parameters of the model, by path."""
        return abstract_model(self.model, self.policy.adapt)[1]


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """A checkpoint ready to use.

    Attributes:
        path: the checkpoint.
        graphdef: the model's structure.
        params: its parameters by path.
        config: its shape.
        tokenizer: text to ids and back.
        vocabulary: what the tokenizer was made of.
        policy: what adapted it, for all tasks that it holds.
        base: the checkpoint that its own builds on, in memory; None if that holds everything itself.
    """

    path: Path
    graphdef: nnx.GraphDef[Any]
    params: Params
    config: T5Config
    tokenizer: Tokenizer
    vocabulary: VocabularyEntry
    policy: BoundPolicy
    base: LoadedBase | None = None

    @property
    def takes_plain_batches(self) -> bool:
        """Whether the model takes the batches of a plain one: without room for a prompt, and without task ids."""
        return not self.policy.prompt_length and self.policy.bank is None

    def task_id(self, task: str | None) -> int | None:
        """Returns by what number the model knows a task; None where it treats all tasks alike.

        Raises:
            T5MixError: it has a bank, and in it nothing for this task.
        """
        bank = self.policy.bank
        if bank is None:
            return None
        if task is None:
            raise T5MixError(
                f"{self.path} holds a module for each of {', '.join(bank.tasks)}. Say which is to answer (--bank TASK)."
            )
        return bank.task_index(task)

    def single_task(self, task: str | None) -> tuple[FineTuningPolicy, dict[str, Any]]:
        """Returns the policy and the parameters of one task of a bank; without a bank those of the whole model.

        Raises:
            T5MixError: there is a bank and no task, or the other way round, or nothing for this task.
        """
        bank, params = self.policy.bank, dict(self.params)
        if bank is None:
            if task is not None:
                raise T5MixError(f"The model holds no bank, and so nothing of {task!r} alone.")
            return self.policy.policy, params
        if task is None:
            raise T5MixError(f"The model holds a bank. Name a task of it (--task): {', '.join(bank.tasks)}.")
        return bank.single_task(params, task)

    def switch(self, path: Path) -> "TrainedModel":
        """Loads another checkpoint on the same base, which is not read again.

        Raises:
            T5MixError: there is no checkpoint, or it was trained on another base.
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
    metadata = CheckpointMetadata.read(path)
    policy = metadata.policy.bind_for_inference()
    graphdef, shapes = abstract_model(metadata.model, policy.adapt)
    recorded = base_of(path)
    if recorded is None and isinstance(base, Path):
        raise T5MixError(f"{path} holds all its parameters itself; it has no base.")
    opened = None if recorded is None else open_base(path, recorded, base)
    params = read_params(path, shapes, base=opened)
    if recorded is not None and metadata.frozen_dtype != "float32":  # as they were while it was trained
        saved = saved_shapes(path)
        frozen = [name for name, leaf in params.items() if leaf.ndim > 1 and name not in saved]
        params |= {name: params[name].astype(metadata.frozen_dtype) for name in frozen}
    tokenizer = _tokenizer(metadata, path)
    return TrainedModel(path, graphdef, params, metadata.model, tokenizer, tokenizer.entry, policy, opened)


def load_tokenizer(path: Path) -> Tokenizer:
    """Loads what turns text into the tokens of a checkpoint, without its parameters.

    Raises:
        T5MixError: there is no checkpoint, or its vocabulary's file is gone or changed.
    """
    path = find_checkpoint(path)
    return _tokenizer(CheckpointMetadata.read(path), path)


def _tokenizer(metadata: CheckpointMetadata, checkpoint: Path) -> Tokenizer:
    return Tokenizer(kept_vocabulary(metadata.vocabulary, checkpoint))


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
