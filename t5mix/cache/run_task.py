"""What the cache asks of a task, whoever made it: registered with seqio, or declared in configuration."""

import abc
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from t5mix.data.manifest import VocabularyEntry
from t5mix.data.ragged import TokenBatch
from t5mix.errors import T5MixError
from t5mix.files import sha256_of_json
from t5mix.metrics.perfect import PerfectScore

TRAIN = "train"
FIXED_SEED = 0  # of what is made once: evaluation splits, and all of tasks that draw nothing


class PreprocessingError(T5MixError):
    """A task's own code failed; its `__cause__` says where."""


class RunTask(abc.ABC):
    """A task of a run, with the vocabulary in force.

    Attributes:
        name: its name.
        splits: its splits.
        source: what kind of source it reads.
        metrics: names of its metrics.
        likelihoods: whether a metric scores the targets' likelihoods.
        choices: the tokens of the labels, as targets have them, by label, where a metric compares their likelihoods.
    """

    name: str
    splits: tuple[str, ...]
    source: str
    metrics: tuple[str, ...]
    likelihoods: bool
    choices: Mapping[str, tuple[int, ...]] = MappingProxyType({})

    def check_split(self, split: str) -> None:
        """Checks that the task has a split.

        Raises:
            T5MixError: it has not.
        """
        if split not in self.splits:
            raise T5MixError(f"Task {self.name!r} has no split {split!r}; it has {', '.join(self.splits)}.")

    @abc.abstractmethod
    def vocabularies(self) -> tuple[VocabularyEntry, VocabularyEntry]:
        """Returns the vocabularies of inputs and targets.

        Raises:
            T5MixError: it lacks one of them, or t5mix cannot train with it.
        """

    @abc.abstractmethod
    def describe(self, spec: "SplitSpec", seed: int | None) -> dict[str, Any]:
        """Returns all that determines the store of a split, as JSON-able data: contents, not places.

        Args:
            spec: the split and the lengths.
            seed: what its preprocessing draws from; None where nothing is drawn.
        """

    @abc.abstractmethod
    def check_lengths(self, lengths: Mapping[str, int]) -> None:
        """Checks what can be known of the lengths of inputs and targets before any data is read.

        Raises:
            T5MixError: they do not go with the task.
        """

    @abc.abstractmethod
    def check_files(self, splits: list[str]) -> None:
        """Reads all that the splits are made of once, where that is how errors are found before any work.

        Raises:
            T5MixError: a file is wrong; the message names the line.
        """

    @abc.abstractmethod
    def shards(self, split: str) -> list[str]:
        """Returns the names of the shards of its source: of files, their paths."""

    @abc.abstractmethod
    def shard_bytes(self, split: str) -> list[int] | None:
        """Returns the size of each shard; None where that is not known."""

    @abc.abstractmethod
    def size(self, split: str) -> int | None:
        """Returns the number of raw examples of a split, where it is known without reading."""

    @abc.abstractmethod
    def is_random(self, spec: "SplitSpec", source_shard: int) -> bool:
        """Whether its preprocessing draws at random, so that each epoch should differ."""

    @abc.abstractmethod
    def batches(self, spec: "SplitSpec", seed: int, source_shard: int = 0) -> Iterator[TokenBatch]:
        """Yields the tokens of the examples of one shard, in order and uncut.

        Args:
            spec: the split and the lengths.
            seed: what its preprocessing draws from.
            source_shard: which shard of its source.

        Raises:
            T5MixError: its data is wrong, or its code fails.
        """

    @abc.abstractmethod
    def perfect_score(self, spec: "SplitSpec") -> PerfectScore | None:
        """Returns what a model that writes every target of a split would score.

        None where that cannot be judged: the split has no targets, or metrics are not t5mix's own.

        Raises:
            T5MixError: its data is wrong, or a target is none that the metrics can take.
        """

    @abc.abstractmethod
    def raw_examples(self, spec: "SplitSpec", seed: int) -> Iterator[dict[str, Any]]:
        """Like `batches` of the whole split, but yields dictionaries with every feature that the task passes along."""


@dataclasses.dataclass(frozen=True)
class SplitSpec:
    """One split of a task, as a run asks for it.

    Attributes:
        task: the task, with the vocabulary in force.
        split: the split.
        inputs_length: longest input in tokens.
        targets_length: longest target in tokens.
        source_shards: how many shards its source is read in, one at a time; 1 to read it whole.
    """

    task: RunTask
    split: str
    inputs_length: int
    targets_length: int
    source_shards: int = 1

    @property
    def is_streamed(self) -> bool:
        """Whether its source is read one shard at a time."""
        return self.source_shards > 1

    @property
    def lengths(self) -> dict[str, int]:
        """The longest inputs and targets, in tokens."""
        return {"inputs": self.inputs_length, "targets": self.targets_length}

    def folder(self, store_dir: Path, seed: int | None) -> tuple[Path, dict[str, Any]]:
        """Returns where the store belongs, and the description that its name is taken from."""
        description = self.task.describe(self, seed)
        return store_dir / self.task.name / f"{self.split}-{sha256_of_json(description)[:16]}", description
