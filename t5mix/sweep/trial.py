"""The files of a finished trial and of what failed: JSON that can be read without t5mix, written and read here alone.

Loads no JAX.
"""

import dataclasses
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import PlainValidator, TypeAdapter, ValidationError

from t5mix.errors import T5MixError
from t5mix.files import read_json, write_json
from t5mix.metrics.example_scores import ExampleScores, TaskEvaluation

TRIAL_FORMAT = 1

T = TypeVar("T")
Number = int | float
"""A number that is written as it was read, whole or not."""

_ADVICE = "Move it away and run the sweep again."


@dataclasses.dataclass(frozen=True)
class TrialKey:
    """A method with one seed and one learning rate, on all tasks or on one.

    Attributes:
        method: the label of the variant, see `t5mix.sweep.methods`.
        seed: of its own runs.
        learning_rate: None where it is not tuned.
        task: the only task that is reported; None for all.
    """

    method: str
    seed: int
    learning_rate: float | None
    task: str | None

    @property
    def key(self) -> "TrialKey":
        """The key alone."""
        return TrialKey(self.method, self.seed, self.learning_rate, self.task)

    def __str__(self) -> str:
        rate = None if self.learning_rate is None else f"lr {self.learning_rate:g}"
        return ", ".join(part for part in (self.method, self.task, rate, f"seed {self.seed}") if part)


@dataclasses.dataclass(frozen=True)
class RunReference:
    """A run's id, its folder in that of the sweep, and the folders of the runs that it starts from, first to last."""

    id: str = ""
    folder: str = ""
    parents: list[str] = dataclasses.field(default_factory=list)


def _example_scores(raw: Any) -> ExampleScores:
    try:
        return ExampleScores.from_json(raw)
    except T5MixError as error:
        raise ValueError(str(error)) from error
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the examples are no table of numbers: {error!r}") from error


@dataclasses.dataclass(frozen=True)
class TaskScore(TaskEvaluation):
    """What a trial scored on one split of one task, and at which step."""

    examples: Mapping[str, Annotated[ExampleScores, PlainValidator(_example_scores)]] = dataclasses.field(
        default_factory=dict
    )
    step: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns {"metrics", "headline", "examples", "step"} as plain data."""
        return {**super().to_json(), "step": self.step}


@dataclasses.dataclass(frozen=True)
class Parameters:
    """Numbers of parameters, of the model and of what was trained."""

    total: int
    trained: int


@dataclasses.dataclass(frozen=True)
class Seconds:
    """Wall time."""

    training: float
    evaluation: float = 0.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaskMixture:
    """What a run drew of one task."""

    size: Number | None = None
    proportion: float | None = None
    examples: Number
    expected_examples: float | None = None
    epochs: float
    tokens: Number | None = None
    loss_tokens: Number | None = None


@dataclasses.dataclass(frozen=True)
class TaskCurves:
    """One task over the logged steps; None where a window held none of it."""

    loss: list[float | None] = dataclasses.field(default_factory=list)
    proportion: list[float | None] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class RunCurves:
    """A run over its steps: the logged ones, and those of the evaluations."""

    steps: list[int] = dataclasses.field(default_factory=list)
    loss: list[float | None] = dataclasses.field(default_factory=list)
    learning_rate: list[float | None] = dataclasses.field(default_factory=list)
    tasks: dict[str, TaskCurves] = dataclasses.field(default_factory=dict)
    evaluated: list[int] = dataclasses.field(default_factory=list)
    validation: dict[str, list[float | None]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrialResult(TrialKey):
    """A finished trial. docs/sweeps.md explains the fields.

    Attributes:
        sweep: the name of the sweep.
        run: the reported run.
        settings: of it, as on the command line.
        experiment: all of its settings, resolved.
        data: its data manifest.
        operations: floating-point operations of training.
        scores: by split and task.
        file: that it was read from; not written.
    """

    sweep: str = ""
    run: RunReference = RunReference()
    settings: list[str] = dataclasses.field(default_factory=list)
    experiment: dict[str, Any] = dataclasses.field(default_factory=dict)
    versions: dict[str, Any] = dataclasses.field(default_factory=dict)
    hardware: dict[str, Any] = dataclasses.field(default_factory=dict)
    data: dict[str, Any] = dataclasses.field(default_factory=dict)
    steps: int
    parameters: Parameters
    operations: float | None = None
    peak_memory_bytes: Number | None = None
    seconds: Seconds
    mixture: dict[str, TaskMixture] = dataclasses.field(default_factory=dict)
    curves: RunCurves = dataclasses.field(default_factory=RunCurves)
    scores: dict[str, dict[str, TaskScore]]
    file: Path = Path()

    def reports(self, task: str) -> bool:
        """Says whether a task is reported from this trial."""
        return self.task is None or self.task == task

    def write(self, path: Path) -> None:
        """Writes the trial's file."""
        scores = {
            split: {task: score.to_json() for task, score in by_task.items()} for split, by_task in self.scores.items()
        }
        fields = dataclasses.asdict(dataclasses.replace(self, scores={}))
        del fields["file"]
        write_json(path, {"format": TRIAL_FORMAT, **fields, "scores": scores})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Failure:
    """What failed for good: a trial, or a run that trials start from, which has no method and no seed.

    Attributes:
        run: the run that failed.
        status: the exit status of its process.
        why: the end of its log.
        log: the file, in the sweep's folder.
        command: that runs it again, for a shell.
    """

    method: str | None = None
    seed: int | None = None
    learning_rate: float | None = None
    task: str | None = None
    run: RunReference = RunReference()
    status: int | None = None
    why: str = ""
    log: str = ""
    command: str = ""

    @property
    def key(self) -> TrialKey | None:
        """The trial that failed; None if it is a run that trials start from."""
        if self.method is None or self.seed is None:
            return None
        return TrialKey(self.method, self.seed, self.learning_rate, self.task)

    @property
    def reason(self) -> str:
        """The last line of `why`."""
        return (self.why.strip() or "no reason given").splitlines()[-1]

    def of(self, trial: TrialKey) -> "Failure":
        """Returns the failure of a trial for the same reason."""
        return dataclasses.replace(self, **dataclasses.asdict(trial.key))

    def write(self, path: Path) -> None:
        """Writes the file of what failed."""
        write_json(path, dataclasses.asdict(self))


def read_trial(path: Path) -> TrialResult:
    """Reads a trial's file.

    Raises:
        T5MixError: it is no JSON, of another format, or lacks something.
    """
    raw = read_object(path)
    if raw.get("format", TRIAL_FORMAT) != TRIAL_FORMAT:
        raise T5MixError(
            f"{path} is of format {raw['format']}, and this t5mix reads format {TRIAL_FORMAT}. Report it with the "
            "t5mix that ran it, or move the file away and run the sweep again."
        )
    return dataclasses.replace(_validated(TrialResult, raw, path), file=path)


def read_failure(path: Path) -> Failure:
    """Reads the file of what failed.

    Raises:
        T5MixError: it is no JSON, or a value is not allowed.
    """
    return _validated(Failure, read_object(path), path)


def read_object(path: Path) -> dict[str, Any]:
    """Reads a JSON object.

    Raises:
        T5MixError: it is none.
    """
    raw = read_json(path, _ADVICE)
    if not isinstance(raw, dict):
        raise T5MixError(f"{path} holds no JSON object. {_ADVICE}")
    return raw


def _validated(type_: type[T], raw: Any, path: Path) -> T:
    try:
        return _adapter(type_).validate_python(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        text = first["ctx"]["error"] if "ctx" in first and "error" in first["ctx"] else first["msg"].lower()
        raise T5MixError(f"{path}: {where}: {text}. {_ADVICE}") from error


@cache
def _adapter(type_: type[T]) -> TypeAdapter[T]:
    return TypeAdapter(type_)
