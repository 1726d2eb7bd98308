"""Scores predictions with the metrics of their tasks. Loads TensorFlow for seqio's: runs in a process of its own.

    python -m t5mix.evaluation.scoring_worker --out FILE

`t5mix.evaluation.scoring_client` starts it, and says on its standard input what to score.
"""

import argparse
import importlib
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from t5mix.cache.declared_task import DeclaredTask
from t5mix.cache.run_task import FIXED_SEED, SplitSpec
from t5mix.cache.run_tasks import load_tasks
from t5mix.data.manifest import DataRequest
from t5mix.errors import T5MixError
from t5mix.evaluation.predictions import Prediction, predictions_path, read_predictions
from t5mix.evaluation.task_metrics import declared_metrics
from t5mix.files import write_json
from t5mix.metrics.example_scores import TaskEvaluation


def score_predictions(
    request: DataRequest, predictions: Path, split: str, names: Iterable[str] = ()
) -> dict[str, TaskEvaluation]:
    """Scores the predictions for one split.

    Args:
        request: the request that the stores were made by, which decides the examples and their order.
        predictions: the folder that `predictions_path` is about.
        split: the split.
        names: the tasks; by default all of the request's that have predictions.

    Returns:
        The metrics of each task, in the order its metric functions give them, and what its examples add to them.

    Raises:
        T5MixError: there are no predictions, or they are not those of the task's examples.
    """
    run = load_tasks(request)
    names = list(names) or [task.name for task in run.tasks if predictions_path(predictions, task.name, split).exists()]
    if not names:
        raise T5MixError(f"There are no predictions for the split {split!r} in {predictions}.")
    results = {}
    for name in names:
        task = run.task(name)
        task_predictions = read_predictions(predictions_path(predictions, name, split))
        spec = SplitSpec(task, split, request.inputs_length, request.targets_length)
        results[name] = _task_evaluation(spec, task_predictions)
    return results


def _task_evaluation(spec: SplitSpec, predictions: list[Prediction]) -> TaskEvaluation:
    """Scores one task on the same examples as in the store, with the fields that post-processors look at."""
    task = spec.task
    if isinstance(task, DeclaredTask):
        texts, examples = task.scored_examples(spec)
        return declared_metrics(task.name, task.scoring, texts, examples, predictions, tuple(task.choices))
    from t5mix.cache.seqio_task import SeqioTask
    from t5mix.evaluation.seqio_metrics import task_metrics

    assert isinstance(task, SeqioTask)
    return task_metrics(task.task, list(task.raw_examples(spec, FIXED_SEED)), predictions)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs as a child process: writes what `score_predictions` gives, or {"error": text}, to the file of --out."""
    parser = argparse.ArgumentParser(prog="python -m t5mix.evaluation.scoring_worker", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="where the evaluations or the error go, JSON")
    parser.add_argument("--tensorflow", action="store_true", help="load TensorFlow at once")
    options = parser.parse_args(arguments)
    if options.tensorflow:
        importlib.import_module("t5mix.tensorflow_setup")
    orders = json.loads(sys.stdin.readline())
    request = DataRequest.from_json(orders["request"])
    try:
        evaluations = score_predictions(request, Path(orders["predictions"]), orders["split"], orders["tasks"])
        write_json(options.out, {name: evaluation.to_json() for name, evaluation in evaluations.items()})
    except T5MixError as error:
        write_json(options.out, {"error": str(error)})
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
