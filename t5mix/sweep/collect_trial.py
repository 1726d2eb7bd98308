"""From a finished run to what is recorded of its trial."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from t5mix.config.experiment import Experiment
from t5mix.data.manifest import DataManifest
from t5mix.files import read_json
from t5mix.runs.operations import operations_of
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
from t5mix.tracking.metrics_file import read_metrics, values_of
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
    lines = read_metrics(metrics)
    return RunCurves(
        steps=values_of(lines.train, "step"),
        loss=values_of(lines.train, "loss"),
        learning_rate=values_of(lines.train, "learning_rate"),
        tasks={
            task.name: TaskCurves(
                values_of(lines.train, "loss", task.name), values_of(lines.train, "proportion", task.name)
            )
            for task in manifest.tasks
        },
        evaluated=values_of(lines.evaluation, "step"),
        validation={task.name: values_of(lines.evaluation, "loss", task.name) for task in manifest.tasks},
    )
