"""What data a run asks for, and what it got: the request and the manifest.

Both are plain JSON. The request goes to a process of its own, which alone loads seqio and TensorFlow
(`t5mix.cache.prepare_worker`); the manifest comes back, is kept in the run's folder, and is all that training needs.
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from t5mix.data.token_store import StoreCounts
from t5mix.errors import T5MixError, UnknownNameError
from t5mix.files import read_json, write_json

MANIFEST_FORMAT = 1


@dataclasses.dataclass(frozen=True)
class DataRequest:
    """Everything that determines the token stores of a run.

    Attributes:
        mixture: names of registered mixtures or tasks, or of tasks declared below; a task that is reached
            twice counts once.
        inputs_length: longest input in tokens; longer ones are cut.
        targets_length: longest target in tokens; longer ones are cut.
        seed: decides the draws of random preprocessors, together with the task's name and the epoch.
        store_dir: folder of the token stores, shared by all runs.
        plugins: modules to import first; they register tasks and mixtures.
        declared: tasks declared in configuration alone, by name (see `t5mix.sources.declaration`).
        vocabulary: path of a SentencePiece model, "bytes", or None for the tasks' own.
        extra_ids: number of sentinels on top of the SentencePiece model's own pieces.
        streamed: tasks whose training split is read shard by shard, as it is too large to be kept whole; with their
            number of training examples, or None to have it estimated.
        splits: the splits to prepare; a task that lacks one of them goes without, except for the first.
        named_tasks: if not empty, the tasks that the settings name; the mixture must consist of exactly these, which is
            checked before a store is made.
        start_vocabulary: identity of the vocabulary that the starting checkpoint was trained with; any other is
            refused before a store is made. None where there is no such checkpoint.
    """

    mixture: tuple[str, ...]
    inputs_length: int
    targets_length: int
    seed: int
    store_dir: str
    plugins: tuple[str, ...] = ()
    declared: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    vocabulary: str | None = None
    extra_ids: int = 100
    streamed: Mapping[str, int | None] = dataclasses.field(default_factory=dict)
    splits: tuple[str, ...] = ("train", "validation")
    named_tasks: tuple[str, ...] = ()
    start_vocabulary: str | None = None

    @property
    def needs_tensorflow(self) -> bool:
        """Whether a task is registered with seqio, and not declared in configuration."""
        return needs_tensorflow(self.mixture, self.declared)

    def checked_splits(self, splits: Iterable[str]) -> list[str]:
        """Returns those of a task's splits that are looked at before any work.

        A run that trains is told at once what is wrong with any of its files; who asks for one split of a run that was
        trained need not have the others.
        """
        return [split for split in splits if "train" in self.splits or split in self.splits]

    def to_json(self) -> str:
        """Returns the request as JSON text."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "DataRequest":
        """Reads what `to_json` wrote."""
        raw: dict[str, Any] = json.loads(text)
        values: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in raw.items()}
        return cls(**values)


def needs_tensorflow(mixture: Iterable[str], declared: Iterable[str]) -> bool:
    """Whether one of the names of a mixture is not declared in configuration, and so must be registered with seqio."""
    return not set(mixture) <= set(declared)


@dataclasses.dataclass(frozen=True)
class VocabularyEntry:
    """The vocabulary that made the tokens.

    Attributes:
        kind: "sentencepiece" or "bytes".
        path: the SentencePiece model's file, empty for bytes.
        sha256: of that file's content.
        extra_ids: number of sentinels at the end of the ids.
        size: number of ids, sentinels included.
    """

    kind: str
    path: str
    sha256: str
    extra_ids: int
    size: int

    @property
    def identity(self) -> str:
        """What two vocabularies have in common if they give the same ids for every text."""
        return f"{self.kind} of {self.size} ids, {self.extra_ids} of them sentinels, sha256 {self.sha256[:16] or '-'}"


@dataclasses.dataclass(frozen=True)
class StoreEntry:
    """Where one split of one task lies and what it holds.

    Attributes:
        path: its folder.
        fingerprint: of all that determines its content.
        counts: how much it holds.
        estimated: whether that is an estimate.
    """

    path: str
    fingerprint: str
    counts: StoreCounts
    estimated: bool = False


@dataclasses.dataclass(frozen=True)
class TaskEntry:
    """One task of the mixture.

    Attributes:
        name: its name in the registry.
        random: whether its preprocessing draws anew each epoch.
        splits: the prepared splits.
        metrics: names of its metric functions.
        likelihoods: whether one of them scores the likelihood of the targets rather than generated text.
        shards_per_epoch: how many shards an epoch of its training split is read in: 1, or the number of source shards
            of a streamed task. The counts of a streamed split come from its first shard.
        all_splits: the names of all splits that there are, prepared or not; empty where that was not recorded.
        choices: the tokens of the labels whose likelihoods one of them compares, by label; empty where none does.
    """

    name: str
    random: bool
    splits: Mapping[str, StoreEntry]
    metrics: tuple[str, ...] = ()
    likelihoods: bool = False
    shards_per_epoch: int = 1
    all_splits: tuple[str, ...] = ()
    choices: Mapping[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)

    @property
    def is_streamed(self) -> bool:
        """Whether its training split is read one source shard at a time."""
        return self.shards_per_epoch > 1

    @property
    def has_many_shards(self) -> bool:
        """Whether its training split has more than one store; its entry's path then is the folder of them."""
        return has_many_shards(self.random, self.shards_per_epoch)

    def path(self, split: str, shard: int = 0) -> Path:
        """Returns where the store of a split lies; of a training split that has several, that of a shard."""
        path = Path(self.splits[split].path)
        return shard_path(path, shard, self.shards_per_epoch) if self.has_many_shards and split == "train" else path


@dataclasses.dataclass(frozen=True)
class DataManifest:
    """The exact data of a run: which stores, of which content and size, made with which vocabulary."""

    request: DataRequest
    vocabulary: VocabularyEntry
    tasks: tuple[TaskEntry, ...]

    def task(self, name: str) -> TaskEntry:
        """Returns one task's entry.

        Raises:
            UnknownNameError: the manifest has no such task.
        """
        for task in self.tasks:
            if task.name == name:
                return task
        raise UnknownNameError("task", name, [task.name for task in self.tasks], "The run's data has no other.")

    def stores_exist(self) -> bool:
        """Says whether every store is still where it was; of a split that has several, the first."""
        return all((task.path(split) / "meta.json").exists() for task in self.tasks for split in task.splits)

    def to_json(self) -> dict[str, Any]:
        """Returns the manifest as plain data, which `from_json` reads."""
        return {"format": MANIFEST_FORMAT, **dataclasses.asdict(self)}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "DataManifest":
        """Reads what `to_json` gave, directly or from a file.

        Raises:
            T5MixError: it is not a manifest that this version reads.
        """
        try:
            if raw["format"] != MANIFEST_FORMAT:
                raise ValueError("another format")
            return cls(
                request=DataRequest.from_json(json.dumps(raw["request"])),
                vocabulary=VocabularyEntry(**raw["vocabulary"]),
                tasks=tuple(_task_entry(task) for task in raw["tasks"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise T5MixError(str(error)) from error

    def save(self, path: Path) -> None:
        """Writes the manifest to `path`, all or nothing."""
        write_json(path, self.to_json())

    @classmethod
    def load(cls, path: Path) -> "DataManifest":
        """Reads what `save` wrote.

        Raises:
            T5MixError: the file is not a manifest that this version reads.
        """
        try:
            return cls.from_json(read_json(path))
        except T5MixError as error:
            raise T5MixError(f"{path} is no data manifest that this version of t5mix reads: {error}.") from error


def has_many_shards(random: bool, shards_per_epoch: int) -> bool:
    """Whether a training split has more than one store: a random task one an epoch, a streamed one several."""
    return random or shards_per_epoch > 1


def shard_path(folder: str | Path, shard: int, shards_per_epoch: int = 1) -> Path:
    """Returns where the store of one shard of a training split lies.

    Args:
        folder: of the split.
        shard: counted from 0 through all epochs.
        shards_per_epoch: how many make an epoch.
    """
    epoch, index = divmod(shard, shards_per_epoch)
    return Path(folder) / (f"epoch-{epoch:05d}" + (f"-shard-{index:05d}" if shards_per_epoch > 1 else ""))


def _task_entry(raw: dict[str, Any]) -> TaskEntry:
    splits = {
        name: StoreEntry(**{**entry, "counts": StoreCounts(**entry["counts"])}) for name, entry in raw["splits"].items()
    }
    return TaskEntry(
        name=raw["name"],
        random=raw["random"],
        splits=splits,
        metrics=tuple(raw["metrics"]),
        likelihoods=raw["likelihoods"],
        shards_per_epoch=raw["shards_per_epoch"],
        all_splits=tuple(raw.get("all_splits", ())),
        choices={label: tuple(tokens) for label, tokens in raw.get("choices", {}).items()},
    )
