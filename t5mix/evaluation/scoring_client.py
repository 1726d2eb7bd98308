"""Scores predictions from a process that must not load TensorFlow: a child process does it."""

from collections.abc import Iterable
from pathlib import Path

from t5mix.console.stage import stage
from t5mix.data.manifest import DataRequest
from t5mix.files import read_json, temporary_folder
from t5mix.metrics.example_scores import TaskEvaluation
from t5mix.subprocesses import Child


def score_in_subprocess(
    request: DataRequest, predictions: str | Path, split: str, tasks: Iterable[str] = ()
) -> dict[str, TaskEvaluation]:
    """Computes the metrics of predictions on disk.

    Args:
        request: the request that the run's stores were made by.
        predictions: the folder of the predictions (see `t5mix.evaluation.predictions.predictions_path`).
        split: the split they are for.
        tasks: the tasks; by default all of the request's that have predictions.

    Returns:
        For each task its metrics, each metric function's headline first, and what each example adds to them.

    Raises:
        T5MixError: the child failed; the text is what it said.
    """
    with temporary_folder("t5mix-score-") as folder:
        request_file, out = folder / "request.json", folder / "evaluations.json"
        request_file.write_text(request.to_json(), encoding="utf-8")
        arguments = ["--request", str(request_file), "--predictions", str(predictions), "--split", split]
        arguments += [part for task in tasks for part in ("--task", task)]
        with stage(f"{'Loading TensorFlow and computing' if request.needs_tensorflow else 'Computing'} the metrics"):
            evaluations = read_json(Child("t5mix.evaluation.scoring_worker", arguments, out).result())
        return {task: TaskEvaluation.from_json(evaluation) for task, evaluation in evaluations.items()}
