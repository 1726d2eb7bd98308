"""The root configuration: everything that makes a run, as the objects that are used.

`t5mix.config.compose` composes plain data from files, groups and overrides, and `t5mix.config.reading` turns them into
an experiment. Nothing reads a raw dictionary after that.
"""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from t5mix.configurable import configurable
from t5mix.data.manifest import DataRequest, VocabularyEntry
from t5mix.data.packing import BatchShape
from t5mix.decoding import GenerationConfig
from t5mix.distributed.processes import DistributedConfig
from t5mix.errors import T5MixError
from t5mix.files import expand_home
from t5mix.finetuning import FineTuningPolicy
from t5mix.mixing import MixingStrategy
from t5mix.mixing.task_sizes import Unit
from t5mix.model.config import T5Config
from t5mix.model.presets import PRESETS
from t5mix.registry import Registry, registry_of
from t5mix.training.config import TrainingConfig
from t5mix.training.optimizer import Optimizer
from t5mix.training.schedule import Schedule
from t5mix.training.sharding import MeshConfig
from t5mix.validation import to_plain

_MOST_SENTINELS = 1_000_000


@configurable
class Lengths:
    """The longest sequences, in tokens.

    Attributes:
        inputs: encoder positions, S.
        targets: decoder positions, T.
    """

    inputs: int = 128
    targets: int = 32

    def __post_init__(self) -> None:
        if min(self.inputs, self.targets) < 2:
            raise ValueError(f"lengths are {self.inputs} and {self.targets}: both must be 2 or more")


@configurable
class EvaluationConfig:
    """Evaluation by the metrics of the tasks.

    Attributes:
        batch_size: inputs answered at once, or whose targets or labels are scored at once.
        generation: how answers are decoded; by default greedily. `max_new_tokens` is `lengths.targets` unless given.
    """

    batch_size: int = 64
    generation: GenerationConfig = dataclasses.field(default_factory=GenerationConfig)

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"evaluation.batch_size is {self.batch_size}: it must be 1 or more")


@configurable
class Experiment:
    """Everything that makes a run.

    Attributes:
        run_dir: the run's folder; a run that is there is continued.
        mixture: registered mixtures and tasks, and tasks declared under `tasks`, that are trained on.
        tasks: tasks declared in configuration alone (`t5mix.sources.declaration`).
        streamed: tasks that are read shard by shard, as they fit into neither memory nor disk: names, or a mapping from
            names to numbers of training examples, null to have the number estimated.
        plugins: modules of the user's to import first; they register tasks, strategies, policies.
        vocabulary: path of a SentencePiece model, "bytes", or None for the tasks' own.
        extra_ids: number of sentinels on top of the SentencePiece model's pieces.
        lengths: longest inputs and targets.
        model: the architecture.
        mixing: how tasks are mixed.
        mixing_unit: what the sizes of tasks and their proportions count: examples, or tokens.
        finetuning: what of the model trains.
        optimizer: how it trains.
        schedule: the learning rate.
        training: the loop.
        evaluation: evaluation by the metrics of the tasks.
        mesh: the devices.
        distributed: the processes.
        start_from: a run's folder or a checkpoint that the parameters come from; None for fresh ones.
        seed: decides everything random.
        store_dir: the token stores, shared by all runs.
    """

    run_dir: str
    mixture: tuple[str, ...]
    tasks: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    streamed: Mapping[str, int | None] = dataclasses.field(default_factory=dict)
    plugins: tuple[str, ...] = ()
    vocabulary: str | None = None
    extra_ids: int = 100
    lengths: Lengths = dataclasses.field(default_factory=Lengths)
    model: T5Config = dataclasses.field(default_factory=lambda: PRESETS["tiny"])
    mixing: MixingStrategy
    mixing_unit: Unit = "examples"
    finetuning: FineTuningPolicy
    optimizer: Optimizer
    schedule: Schedule
    training: TrainingConfig = dataclasses.field(default_factory=TrainingConfig)
    evaluation: EvaluationConfig = dataclasses.field(default_factory=EvaluationConfig)
    mesh: MeshConfig = dataclasses.field(default_factory=MeshConfig)
    distributed: DistributedConfig = dataclasses.field(default_factory=DistributedConfig)
    start_from: str | None = None
    seed: int = 0
    store_dir: str = "~/.cache/t5mix/stores"

    def __post_init__(self) -> None:
        if not 0 <= self.extra_ids <= _MOST_SENTINELS:
            raise ValueError(f"extra_ids is {self.extra_ids}: it must be from 0 to {_MOST_SENTINELS:,}")
        self.evaluation.generation.with_limit(self.lengths.targets)  # which refuses what does not fit

    def data_request(self, splits: tuple[str, ...] = ("train", "validation")) -> DataRequest:
        """Returns what the run wants of its data."""
        return DataRequest(
            mixture=self.mixture,
            inputs_length=self.lengths.inputs,
            targets_length=self.lengths.targets,
            seed=self.seed,
            store_dir=str(expand_home(self.store_dir, "store_dir").absolute()),
            plugins=self.plugins,
            declared=self.tasks,
            vocabulary=self.vocabulary,
            extra_ids=self.extra_ids,
            streamed=self.streamed,
            splits=splits,
        )

    @property
    def batch_shape(self) -> BatchShape:
        """The shape of a training batch."""
        return self.training.batch_shape(self.lengths.inputs, self.lengths.targets, self.finetuning.prompt_length)

    def model_for(self, vocabulary: VocabularyEntry) -> T5Config:
        """Returns the model with its vocabulary size filled in, a multiple of 128 where it was left open.

        Raises:
            T5MixError: the model's embedding is too small for the vocabulary.
        """
        if self.model.vocab_size is None:
            return dataclasses.replace(self.model, vocab_size=-(-vocabulary.size // 128) * 128)
        if self.model.vocab_size < vocabulary.size:
            raise T5MixError(
                f"model.vocab_size is {self.model.vocab_size}, and the vocabulary {vocabulary.path or vocabulary.kind} "
                f"has {vocabulary.size} ids ({vocabulary.extra_ids} of them sentinels). Set it to null or larger."
            )
        return self.model

    def to_json(self) -> dict[str, Any]:
        """Returns the experiment as plain data that `t5mix.config.reading.read_experiment` reads back."""
        return json.loads(json.dumps(to_plain(self)))


KIND_GROUPS: dict[str, Registry[Any]] = {
    field.name: registry
    for field in dataclasses.fields(Experiment)  # type: ignore[arg-type]
    if (registry := registry_of(field.type)) is not None
}
"""The keys of an experiment that choose a kind, and the registry of each."""
