"""A finished trial, and one that failed, as their files say it."""

import dataclasses
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from t5mix.errors import T5MixError
from t5mix.files import read_json
from t5mix.sweep.folder import TRIAL_FORMAT


@dataclasses.dataclass(frozen=True)
class ExampleRows:
    """A metric's sufficient statistics by example.

    Attributes:
        kind: the name of the function in `t5mix.metrics.example_scores.REDUCERS` that takes their sum to the metric.
        rows: [units, k].
    """

    kind: str
    rows: Any


@dataclasses.dataclass(frozen=True)
class TaskScore:
    """What a trial scored on one split of one task: metrics by name, None where one is undefined."""

    metrics: dict[str, float | None]
    step: int | None = None
    examples: dict[str, ExampleRows] = dataclasses.field(default_factory=dict)


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


@dataclasses.dataclass(frozen=True)
class TaskMixture:
    """What a run drew of one task."""

    examples: float
    epochs: float
    size: float | None = None
    proportion: float | None = None


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
    tasks: dict[str, TaskCurves] = dataclasses.field(default_factory=dict)
    evaluated: list[int] = dataclasses.field(default_factory=list)
    validation: dict[str, list[float | None]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class TrialResult:
    """A finished trial, as its file says it: a method with one seed and one learning rate, on all tasks or on one."""

    method: str
    seed: int
    learning_rate: float | None
    task: str | None
    steps: int
    parameters: Parameters
    seconds: Seconds
    scores: dict[str, dict[str, TaskScore]]
    operations: float | None = None
    peak_memory_bytes: float | None = None
    settings: list[str] = dataclasses.field(default_factory=list)
    mixture: dict[str, TaskMixture] = dataclasses.field(default_factory=dict)
    curves: RunCurves = dataclasses.field(default_factory=RunCurves)
    versions: dict[str, Any] = dataclasses.field(default_factory=dict)
    hardware: dict[str, Any] = dataclasses.field(default_factory=dict)
    data: dict[str, Any] = dataclasses.field(default_factory=dict)
    file: Path = Path()

    def reports(self, task: str) -> bool:
        """Says whether a task is reported from this trial."""
        return self.task is None or self.task == task


@dataclasses.dataclass(frozen=True)
class FailedRun:
    """The run that a trial, or several, failed of."""

    folder: str = ""


@dataclasses.dataclass(frozen=True)
class Failure:
    """What failed for good: a trial, or a run that trials start from, which has no method and no seed."""

    method: str | None = None
    seed: int | None = None
    learning_rate: float | None = None
    task: str | None = None
    run: FailedRun = FailedRun()
    status: int | None = None
    why: str = ""
    log: str = ""
    command: str | list[str] = ""


_TRIAL, _FAILURE = TypeAdapter(TrialResult), TypeAdapter(Failure)
_AGAIN = "Move it away and run the sweep again."


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
    return dataclasses.replace(_validated(_TRIAL, raw, path), file=path)


def read_failure(path: Path) -> Failure:
    """Reads the file of what failed.

    Raises:
        T5MixError: it is no JSON, or a value is not allowed.
    """
    return _validated(_FAILURE, read_object(path), path)


def read_object(path: Path) -> dict[str, Any]:
    """Reads a JSON object.

    Raises:
        T5MixError: it is none.
    """
    raw = read_json(path, _AGAIN)
    if not isinstance(raw, dict):
        raise T5MixError(f"{path} holds no JSON object. {_AGAIN}")
    return raw


def _validated(adapter: TypeAdapter, raw: Any, path: Path) -> Any:
    try:
        return adapter.validate_python(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise T5MixError(f"{path}: {where}: {first['msg'].lower()}. {_AGAIN}") from error
