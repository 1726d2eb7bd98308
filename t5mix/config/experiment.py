"""The root configuration: everything that makes a run, validated before anything is loaded.

Hydra composes it from groups and overrides (`t5mix.config.compose`); the functions here turn the result into objects,
refusing unknown keys, wrong types and impossible combinations by name. Nothing reads a raw dictionary after that.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

from pydantic import TypeAdapter, ValidationError

from t5mix.configurable import configurable
from t5mix.data.manifest import DataRequest, VocabularyEntry
from t5mix.data.packing import BatchShape
from t5mix.distributed.processes import DistributedConfig
from t5mix.errors import T5MixError, UnknownNameError, nearest
from t5mix.finetuning import POLICIES, FineTuningPolicy
from t5mix.finetuning.base import prompt_length_of
from t5mix.mixing import STRATEGIES, MixingStrategy
from t5mix.mixing.task_sizes import Unit
from t5mix.model.config import T5Config
from t5mix.model.presets import PRESETS
from t5mix.plugins import import_plugins
from t5mix.registry import Registry
from t5mix.sources.declaration import task_declaration
from t5mix.training.config import TrainingConfig
from t5mix.training.optimizer import OPTIMIZERS, Optimizer
from t5mix.training.schedule import SCHEDULES, Schedule
from t5mix.training.sharding import MeshConfig

T = TypeVar("T")


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
    """Evaluation by generated text.

    Attributes:
        batch_size: sequences decoded at once.
    """

    batch_size: int = 64

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
        evaluation: evaluation by generated text.
        mesh: the devices.
        distributed: the processes.
        start_from: a run's folder or a checkpoint that the parameters come from; None for fresh ones.
        seed: decides everything random.
        store_dir: the token stores, shared by all runs.
    """

    run_dir: str
    mixture: tuple[str, ...]
    tasks: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
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

    def data_request(self, splits: tuple[str, ...] = ("train", "validation")) -> DataRequest:
        """Returns what the run wants of its data."""
        return DataRequest(
            mixture=self.mixture,
            inputs_length=self.lengths.inputs,
            targets_length=self.lengths.targets,
            seed=self.seed,
            store_dir=str(Path(self.store_dir).expanduser().absolute()),
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
        prompt = prompt_length_of(self.finetuning)
        return self.training.batch_shape(self.lengths.inputs, self.lengths.targets, prompt)

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
        """Returns the experiment as plain data that `read_experiment` reads back."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}  # type: ignore[arg-type]
        for name, registry in _KINDS.items():
            instance = plain[name]
            plain[name] = _plain(registry, instance)
        for name in _PARTS:
            plain[name] = dataclasses.asdict(plain[name])
        plain["tasks"] = {name: dict(task) for name, task in self.tasks.items()}
        return json.loads(json.dumps(plain))


_KINDS: dict[str, Registry[Any]] = {
    "mixing": STRATEGIES,
    "finetuning": POLICIES,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
}
_PARTS: dict[str, type] = {
    "lengths": Lengths,
    "model": T5Config,
    "training": TrainingConfig,
    "evaluation": EvaluationConfig,
    "mesh": MeshConfig,
    "distributed": DistributedConfig,
}


def read_experiment(raw: Mapping[str, Any]) -> Experiment:
    """Turns composed configuration into an experiment.

    Args:
        raw: plain data; the key `variables`, which other values may refer to, is left out of account.

    Raises:
        T5MixError: a key is unknown, a value is of the wrong type or out of range, a required key is missing, or
            two settings contradict each other; names the key, the value and what is allowed.
    """
    values = {key: value for key, value in raw.items() if key != "variables"}
    known = {field.name: field for field in dataclasses.fields(Experiment)}  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            raise UnknownNameError("configuration key", key, [*known, "variables"])
    for key, hint in _HINTS.items():
        if not values.get(key):
            raise T5MixError(f"{key} is not set: {hint}")
    if isinstance(values["mixture"], str):
        values["mixture"] = [values["mixture"]]
    import_plugins(_read(tuple[str, ...], values.get("plugins") or [], "plugins"), without_tensorflow=True)
    parsed: dict[str, Any] = {}
    for key, value in values.items():
        if key in _KINDS:
            parsed[key] = _read_kind(_KINDS[key], value, key)
        elif key == "model":
            parsed[key] = _read_model(value)
        elif key in _PARTS:
            parsed[key] = _read(_PARTS[key], value, key)
        elif key == "tasks":
            parsed[key] = _read(dict[str, dict[str, Any]], value or {}, key)
        elif key == "streamed":
            parsed[key] = _read_streamed(value)
        else:
            parsed[key] = _read(known[key].type, value, key)  # type: ignore[arg-type]
    for name, task in parsed.get("tasks", {}).items():
        task_declaration(name, task)
    return Experiment(**parsed)


_HINTS = {
    "run_dir": "give the folder that the run is to be kept in, such as run_dir=runs/first.",
    "mixture": "give the tasks or mixtures to train on, such as mixture=demo or mixture=[sst2,cola]; "
    "`t5mix mixtures` and `t5mix tasks` list them.",
    **{key: f"choose one with {key}=NAME, or begin the file's defaults list with experiment." for key in _KINDS},
}


def policy_from_dict(raw: Mapping[str, Any]) -> FineTuningPolicy:
    """Reads a policy as `Experiment.to_json` wrote it."""
    return _read_kind(POLICIES, raw, "finetuning")


def policy_to_dict(policy: FineTuningPolicy) -> dict[str, Any]:
    """Returns a policy as plain data that `policy_from_dict` reads back."""
    return json.loads(json.dumps(_plain(POLICIES, policy)))


def strategy_from_dict(raw: Any) -> MixingStrategy:
    """Reads a mixing strategy from plain data, a kind or a mapping with `kind` and settings.

    Raises:
        T5MixError: there is no such kind or setting, or a value is not allowed.
    """
    return _read_kind(STRATEGIES, raw, "mixing")


def strategy_to_dict(strategy: MixingStrategy) -> dict[str, Any]:
    """Returns a strategy as plain data that `strategy_from_dict` reads back."""
    return _plain(STRATEGIES, strategy)


def _read_kind(registry: Registry[Any], raw: Any, key: str) -> Any:
    values: dict[str, Any] = {"kind": raw} if isinstance(raw, str) else dict(_read(dict[str, Any], raw, key))
    kind = values.pop("kind", None)
    if kind is None:
        raise T5MixError(f"{key}.kind is not set. Known: {', '.join(sorted(registry))}.")
    cls = registry[kind]
    for field in dataclasses.fields(cls):
        if field.name not in values:
            continue
        value, place = values[field.name], f"{key}.{field.name}"
        if field.type in _INTERFACES:  # a strategy around another, and the like
            values[field.name] = _read_kind(_INTERFACES[field.type], value, place)
        elif get_origin(field.type) is tuple and get_args(field.type)[0] in _INTERFACES:
            inner, parts = _INTERFACES[get_args(field.type)[0]], _read(list[Any], value, place)
            values[field.name] = tuple(_read_kind(inner, part, f"{place}.{i}") for i, part in enumerate(parts))
    return _read(cls, values, key)


_INTERFACES: dict[Any, Registry[Any]] = {MixingStrategy: STRATEGIES, FineTuningPolicy: POLICIES}


def _plain(registry: Registry[Any], instance: Any) -> dict[str, Any]:
    """Returns what `_read_kind` reads back."""
    plain: dict[str, Any] = {"kind": registry.kind_of(instance)}
    for field in dataclasses.fields(instance):
        value = getattr(instance, field.name)
        if field.type in _INTERFACES:
            value = _plain(_INTERFACES[field.type], value)
        elif get_origin(field.type) is tuple and get_args(field.type)[0] in _INTERFACES:
            value = [_plain(_INTERFACES[get_args(field.type)[0]], part) for part in value]
        plain[field.name] = value
    return plain


def _read_streamed(raw: Any) -> dict[str, int | None]:
    """Reads the names of streamed tasks, with or without their numbers of examples."""
    names = [raw] if isinstance(raw, str) else raw or ()
    if not isinstance(names, Mapping):
        return dict.fromkeys(_read(tuple[str, ...], names, "streamed"))
    streamed = _read(dict[str, int | None], names, "streamed")
    for name, examples in streamed.items():
        if examples is not None and examples < 1:
            raise T5MixError(f"streamed.{name} is {examples}: give its number of training examples, or null.")
    return streamed


def _read_model(raw: Any) -> T5Config:
    values = {"preset": raw} if isinstance(raw, str) else _read(dict[str, Any], raw, "model")
    preset = values.pop("preset", None)
    if preset is not None and preset not in PRESETS:
        raise UnknownNameError("model preset", preset, PRESETS)
    base = dataclasses.asdict(PRESETS[preset]) if preset else {}
    return _read(T5Config, {**base, **values}, "model")


def _read(kind: type[T], raw: Any, key: str) -> T:
    """Validates plain data against a type, with errors that name the key, the value and what is allowed."""
    try:
        return TypeAdapter(kind).validate_python(raw)
    except ValidationError as error:
        problems = [_explain(kind, key, problem) for problem in error.errors()]
        raise T5MixError("\n".join(problems)) from error


def _explain(kind: type, key: str, problem: Mapping[str, Any]) -> str:
    place = ".".join([key, *map(str, problem["loc"])])
    if problem["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        name = str(problem["loc"][-1])
        known = _names(kind) if dataclasses.is_dataclass(kind) else []
        near = nearest(name, known)
        offer = f"Did you mean {' or '.join(f'{key}.{other}' for other in near)}?" if near else ""
        listed = f"Known: {', '.join(known)}." if known else f"{key} has no settings."
        return f"Unknown configuration key '{place}'. {_of_others(kind, key, name) or offer or listed}"
    if problem["type"] in ("missing", "missing_keyword_only_argument"):
        return f"{place} is not set, and it has no default."
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"]) + "."
    return f"{place} is {problem['input']!r}: {problem['msg'].lower()}."


def _of_others(cls: type, key: str, name: str) -> str:
    """Says which kinds of the same group have a setting that this one lacks; nothing where none has."""
    for registry in _KINDS.values():
        kinds = {other: kind for kind, other in registry.items()}
        owners = sorted(kind for other, kind in kinds.items() if name in _names(other))
        if cls in kinds and owners:
            return (
                f"It is a setting of {', '.join(owners)}, not of {kinds[cls]}: choose another {key}, leave the setting "
                f"out, or write ~{key}.{name} where a file has it."
            )
    return ""


def _names(cls: type) -> list[str]:
    return [field.name for field in dataclasses.fields(cls)]
