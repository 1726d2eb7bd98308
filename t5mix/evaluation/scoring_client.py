"""Scores predictions from a process that must not load TensorFlow: a child process does it."""

import json
from collections.abc import Iterable
from pathlib import Path

from t5mix.console.stage import stage
from t5mix.data.manifest import DataRequest
from t5mix.files import read_json
from t5mix.metrics.example_scores import TaskEvaluation
from t5mix.subprocesses import EarlyChild


class Scorer(EarlyChild):
    """A child that scores predictions; it loads what it needs while they are made, and ends with the context.

    Args:
        request: the request that the run's stores were made by.
    """

    def __init__(self, request: DataRequest) -> None:
        options = ["--tensorflow"] if request.needs_tensorflow else []
        super().__init__("t5mix.evaluation.scoring_worker", options)
        self._request = request

    def score(self, predictions: str | Path, split: str, tasks: Iterable[str] = ()) -> dict[str, TaskEvaluation]:
        """Computes the metrics of predictions on disk.

        Args:
            predictions: the folder of the predictions (see `t5mix.evaluation.predictions.predictions_path`).
            split: the split they are for.
            tasks: the tasks; by default all of the request's that have predictions.

        Returns:
            For each task its metrics, each metric function's headline first, and what each example adds to them.

        Raises:
            T5MixError: the child failed; the text is what it said.
        """
        orders = {"request": self._request.to_json(), "predictions": str(predictions), "split": split}
        self.send(json.dumps({**orders, "tasks": list(tasks)}))
        with stage("Computing the metrics"):
            evaluations = read_json(self.child.result())
        return {task: TaskEvaluation.from_json(evaluation) for task, evaluation in evaluations.items()}
