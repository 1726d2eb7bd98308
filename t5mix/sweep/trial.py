"""What came out of a trial, as one JSON document that can be read without t5mix."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from t5mix.config.experiment import Experiment
from t5mix.data.manifest import DataManifest
from t5mix.files import read_json
from t5mix.runs.policy_report import operations_of
from t5mix.sweep.folder import TRIAL_FORMAT
from t5mix.tracking.metrics_file import read_lines
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
    lines = list(read_lines(metrics))
    logged = [line for line in lines if line["kind"] == "train"]
    evaluated = [line for line in lines if line["kind"] == "evaluation"]
    tasks = [task.name for task in manifest.tasks]
    return {
        "steps": [line["step"] for line in logged],
        "loss": [line["loss"] for line in logged],
        "learning_rate": [line["learning_rate"] for line in logged],
        "tasks": {task: {key: _series(logged, task, key) for key in ("loss", "proportion")} for task in tasks},
        "evaluated": [line["step"] for line in evaluated],
        "validation": {task: _series(evaluated, task, "loss") for task in tasks},
    }


def _series(lines: Iterable[Mapping[str, Any]], task: str, key: str) -> Sequence[float | None]:
    return [line["tasks"].get(task, {}).get(key) for line in lines]


def _plain_manifest(directory: RunDirectory) -> Any:
    return read_json(directory.path / "data_manifest.json")
