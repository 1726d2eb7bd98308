"""What came out of a trial, as one JSON document that can be read without t5mix."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from t5mix.config.experiment import Experiment
from t5mix.data.manifest import DataManifest
from t5mix.files import read_json
from t5mix.runs.policy_report import operations_of
from t5mix.sweep.folder import TRIAL_FORMAT
from t5mix.tracking.metrics_file import read_metrics, values_of
from t5mix.tracking.run_directory import RunDirectory


def record(
    experiment: Experiment, about: Mapping[str, Any], scores: Mapping[str, Any], seconds: float
) -> dict[str, Any]:
    """Returns all that is known of a finished trial.

    Args:
        experiment: of the reported run.
        about: what the sweep knows of the trial: method, seed and so on.
        scores: by split and task, see `t5mix.sweep.worker`.
        seconds: that the evaluation took.

    Returns:
        A JSON-able document; docs/sweeps.md explains its fields.
    """
    directory = RunDirectory(Path(experiment.run_dir))
    result, manifest = directory.result(), directory.manifest()
    assert result is not None
    assert manifest is not None
    return {
        "format": TRIAL_FORMAT,
        **about,
        "experiment": experiment.to_json(),
        "versions": result["versions"],
        "hardware": result["hardware"],
        "data": _plain_manifest(directory),
        "steps": result["steps"],
        "parameters": result["parameters"],
        "operations": operations_of(experiment, manifest),
        "peak_memory_bytes": result["peak_memory_bytes"],
        "seconds": {"training": result["seconds"], "evaluation": seconds},
        "mixture": result["mixture"],
        "curves": curves(directory.metrics, manifest),
        "scores": dict(scores),
    }


def curves(metrics: Path, manifest: DataManifest) -> dict[str, Any]:
    """Returns how a run went, from its metrics file: losses, weights and the learning rate over the steps."""
    lines = read_metrics(metrics)
    tasks = [task.name for task in manifest.tasks]
    return {
        "steps": values_of(lines.train, "step"),
        "loss": values_of(lines.train, "loss"),
        "learning_rate": values_of(lines.train, "learning_rate"),
        "tasks": {task: {key: values_of(lines.train, key, task) for key in ("loss", "proportion")} for task in tasks},
        "evaluated": values_of(lines.evaluation, "step"),
        "validation": {task: values_of(lines.evaluation, "loss", task) for task in tasks},
    }


def _plain_manifest(directory: RunDirectory) -> Any:
    return read_json(directory.path / "data_manifest.json")
