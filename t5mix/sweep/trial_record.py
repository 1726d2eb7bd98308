"""From a finished run to what is recorded of its trial."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from t5mix.config.experiment import Experiment
from t5mix.data.manifest import DataManifest
from t5mix.files import read_json
from t5mix.runs.policy_report import operations_of
from t5mix.sweep.trial import (
    Parameters,
    RunCurves,
    RunReference,
    Seconds,
    TaskCurves,
    TaskMixture,
    TaskScore,
    TrialResult,
)
from t5mix.tracking.metrics_file import read_lines
from t5mix.tracking.run_directory import RunDirectory


def trial_result(
    experiment: Experiment, description: Mapping[str, Any], scores: dict[str, dict[str, TaskScore]], seconds: float
) -> TrialResult:
    """Returns all that is known of a finished trial.

    Args:
        experiment: of the reported run.
        description: the fields of `TrialResult` that the sweep knows, as plain data: its key, run and settings.
        scores: by split and task.
        seconds: that the evaluation took.
    """
    directory = RunDirectory(Path(experiment.run_dir))
    result, manifest = directory.result(), directory.manifest()
    assert result is not None
    assert manifest is not None
    return TrialResult(
        **{**description, "run": RunReference(**description["run"])},
        experiment=experiment.to_json(),
        versions=result["versions"],
        hardware=result["hardware"],
        data=read_json(directory.path / "data_manifest.json"),
        steps=result["steps"],
        parameters=Parameters(**result["parameters"]),
        operations=operations_of(experiment, manifest),
        peak_memory_bytes=result["peak_memory_bytes"],
        seconds=Seconds(result["seconds"], seconds),
        mixture={task: TaskMixture(**drawn) for task, drawn in result["mixture"].items()},
        curves=run_curves(directory.metrics, manifest),
        scores=scores,
    )


def run_curves(metrics: Path, manifest: DataManifest) -> RunCurves:
    """Returns how a run went, from its metrics file: losses, proportions and the learning rate over the steps."""
    lines = list(read_lines(metrics))
    logged = [line for line in lines if line["kind"] == "train"]
    evaluated = [line for line in lines if line["kind"] == "evaluation"]
    tasks = [task.name for task in manifest.tasks]
    return RunCurves(
        steps=[line["step"] for line in logged],
        loss=[line["loss"] for line in logged],
        learning_rate=[line["learning_rate"] for line in logged],
        tasks={task: TaskCurves(_series(logged, task, "loss"), _series(logged, task, "proportion")) for task in tasks},
        evaluated=[line["step"] for line in evaluated],
        validation={task: _series(evaluated, task, "loss") for task in tasks},
    )


def _series(lines: Iterable[Mapping[str, Any]], task: str, key: str) -> list[float | None]:
    return [line["tasks"].get(task, {}).get(key) for line in lines]
