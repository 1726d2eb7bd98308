"""Evaluating a run's model on a split of its tasks."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax

from t5mix.config.experiment import Experiment, read_experiment
from t5mix.data.manifest import DataManifest, TaskEntry
from t5mix.data.prepare_client import prepare_in_subprocess
from t5mix.data.token_store import TokenStore, open_store
from t5mix.errors import T5MixError
from t5mix.evaluation.generate import generate, score_targets
from t5mix.evaluation.predictions import Prediction, decoded, predictions_path, write_predictions
from t5mix.evaluation.scoring_client import score_in_subprocess
from t5mix.evaluation.teacher_forced import evaluate_losses
from t5mix.metrics.example_scores import TaskEvaluation
from t5mix.runs.load import TrainedModel, checkpoint_of, load_model
from t5mix.tracking.run_directory import RunDirectory
from t5mix.training.step import batch_sums


def evaluate_run(
    run: Path,
    *,
    which: str = "latest",
    split: str = "validation",
    tasks: Sequence[str] = (),
    base: Path | None = None,
) -> dict[str, TaskEvaluation]:
    """Evaluates a run's model on a split of its tasks: teacher-forced loss, and generated text by the tasks' metrics.

    The predictions go to the run's folder, under `predictions/STEP/SPLIT/TASK.jsonl`, the scores beside them.

    Args:
        run: the run's folder.
        which: see `checkpoint_of`.
        split: the split.
        tasks: tasks of the run's mixture; by default all that have the split.
        base: where the checkpoint's base lies now; None for where it lay.

    Returns:
        For each task `loss` (nats a token), `token_accuracy` (teacher-forced, 0 to 100) and its metrics; with what
        each example adds to the latter.

    Raises:
        T5MixError: the run, the checkpoint, the split or a task does not exist.
    """
    directory = RunDirectory(run)
    experiment = read_experiment(directory.experiment())
    model = load_model(checkpoint_of(run, which), base)
    manifest = _manifest_with(directory, experiment, split)
    if manifest.vocabulary.identity != model.vocabulary.identity:
        raise T5MixError(
            f"The data's vocabulary {manifest.vocabulary.path} is not the one {model.path} was trained with."
        )
    for name in tasks:
        manifest.task(name)
    having = {i: task for i, task in enumerate(manifest.tasks) if split in task.splits}
    chosen = {i: task for i, task in having.items() if not tasks or task.name in tasks}
    if not chosen:
        raise T5MixError(f"None of the tasks has a split {split!r}.")
    streamed = [task.name for task in chosen.values() if split == "train" and task.is_streamed]
    if streamed:
        raise T5MixError(
            f"The training split of {', '.join(streamed)} is streamed, and no store holds all of it. Evaluate another "
            "split, or name the other tasks."
        )
    stores = {i: open_store(task.path(split)) for i, task in chosen.items()}
    shape = experiment.batch_shape
    sums = jax.jit(lambda params, batch: batch_sums(model.graphdef, params, batch, len(manifest.tasks)))
    totals = evaluate_losses(lambda batch: sums(model.params, batch), stores, shape, len(manifest.tasks))
    losses, accuracies = totals.loss(), totals.accuracy()
    evaluations = {
        task.name: TaskEvaluation({"loss": float(losses[i]), "token_accuracy": 100 * float(accuracies[i])})
        for i, task in chosen.items()
    }
    folder = directory.predictions / model.path.name
    scored = [task.name for task in chosen.values() if task.metrics]
    for i, task in chosen.items():
        if task.name in scored:
            rows = _predict(model, stores[i], i, experiment, task)
            write_predictions(predictions_path(folder, task.name, split), rows)
    if scored:
        for name, own in score_in_subprocess(manifest.request, folder, split, scored).items():
            evaluations[name] = TaskEvaluation({**evaluations[name].metrics, **own.metrics}, own.examples)
    return evaluations


def _predict(
    model: TrainedModel, store: TokenStore, task_id: int, experiment: Experiment, task: TaskEntry
) -> Iterator[Prediction]:
    """Returns what a task's metrics look at: generated text, and the targets' likelihoods if one of them asks."""
    how: dict[str, Any] = {"batch_size": experiment.evaluation.batch_size, "task_id": task_id}
    max_length = experiment.lengths.targets
    outputs = generate(model.graphdef, model.params, store, max_length=max_length, label=task.name, **how)
    likelihoods = None
    if task.likelihoods:
        likelihoods = score_targets(model.graphdef, model.params, store, label=f"{task.name} targets", **how).log_probs
    return decoded(store, outputs, model.tokenizer, likelihoods)


def _manifest_with(directory: RunDirectory, experiment: Experiment, split: str) -> DataManifest:
    """Returns the run's own data if it holds the split, else prepares the split."""
    manifest = directory.manifest()
    if manifest is not None and any(split in task.splits for task in manifest.tasks) and manifest.stores_exist():
        return manifest
    return prepare_in_subprocess(experiment.data_request(splits=tuple(dict.fromkeys(["train", split]))))
