"""Evaluating a run's model on a split of its tasks."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from t5mix.cache.request_checks import check_request
from t5mix.config.experiment import Experiment
from t5mix.config.reading import read_experiment
from t5mix.console import wording
from t5mix.console.stage import stage
from t5mix.data.manifest import DataManifest, TaskEntry
from t5mix.data.prepare_client import prepare_in_subprocess
from t5mix.data.token_store import TokenStore, open_store
from t5mix.errors import T5MixError
from t5mix.evaluation.generate import generate, score_choices, score_targets
from t5mix.evaluation.predictions import Prediction, decoded, predictions_path, write_predictions
from t5mix.evaluation.scoring_client import Scorer
from t5mix.evaluation.teacher_forced import evaluate_losses
from t5mix.metrics.example_scores import CHOICES, TEACHER_FORCED, TaskEvaluation
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
    notice: Callable[[str], None] = lambda text: None,
) -> dict[str, TaskEvaluation]:
    """Evaluates a run's model on a split of its tasks: teacher-forced loss, and generated text by the tasks' metrics.

    The predictions go to the run's folder, under `predictions/STEP/SPLIT/TASK.jsonl`, the scores beside them.

    Args:
        run: the run's folder.
        which: see `checkpoint_of`.
        split: the split.
        tasks: tasks of the run's mixture, by default all; those that lack the split are left out.
        base: where the checkpoint's base lies now; None for where it lay.
        notice: is told which tasks are left out, as they lack the split, before the work begins.

    Returns:
        For each task `loss` (nats a token), `token_accuracy` (teacher-forced, 0 to 100) and its metrics; with what
        each example adds to the latter, and the signatures of those that have one.

    Raises:
        T5MixError: the run, the checkpoint or a task does not exist, or none of the tasks has the split.
    """
    directory = RunDirectory(run)
    experiment, recorded = read_experiment(directory.experiment()), directory.manifest()
    path = checkpoint_of(run, which)
    if recorded is not None:
        _check_split(recorded, split, tasks)
    manifest = _manifest_with(recorded, directory, split, tasks)
    chosen, lacking = _chosen(manifest, split, tasks)
    if lacking:
        notice(f"no {split} split: {', '.join(task.name for task in lacking)}")
    ids = {task.name: i for i, task in enumerate((recorded or manifest).tasks)}  # as the model was trained
    by_id = {ids[task.name]: task for task in chosen}
    stores = {i: open_store(task.path(split)) for i, task in by_id.items()}
    scored = [task.name for task in chosen if task.metrics]
    with contextlib.ExitStack() as held:
        scorer = (
            held.enter_context(Scorer(directory.at_hand(manifest.request))) if scored else None
        )  # loads while the model works
        with stage("Loading the model"):
            model = load_model(path, base)
        if manifest.vocabulary.identity != model.vocabulary.identity:
            raise T5MixError(
                f"The data's vocabulary {manifest.vocabulary.path} is not the one {model.path} was trained with."
            )
        with stage("Computing the losses"):
            evaluations = _teacher_forced(model, experiment, by_id, stores, len(ids))
        folder = directory.predictions / model.path.name
        for i, task in by_id.items():
            if task.metrics:
                predictions = _predict(model, stores[i], i, experiment, task)
                write_predictions(predictions_path(folder, task.name, split), predictions)
        scores = scorer.score(folder, split, scored) if scorer is not None else {}
    for name, score in scores.items():
        evaluations[name] = dataclasses.replace(score, metrics={**evaluations[name].metrics, **score.metrics})
    return evaluations


def _tasks(manifest: DataManifest, names: Sequence[str]) -> list[TaskEntry]:
    """Returns the tasks that are named, or all, in the manifest's order."""
    for name in names:
        manifest.task(name)
    return [task for task in manifest.tasks if not names or task.name in names]


def _check_split(recorded: DataManifest, split: str, names: Sequence[str]) -> None:
    """Refuses, before any work, unknown tasks, and a split that none of the tasks is known to have."""
    tasks = _tasks(recorded, names)
    if all(task.all_splits and split not in task.all_splits for task in tasks):
        raise _no_split(split, tasks)


def _no_split(split: str, tasks: Sequence[TaskEntry]) -> T5MixError:
    splits = dict.fromkeys(name for task in tasks for name in task.all_splits or task.splits)
    return T5MixError(f"None of the tasks has a split {split!r}. There are {wording.listed(list(splits))}.")


def _chosen(
    manifest: DataManifest, split: str, names: Sequence[str]
) -> tuple[Sequence[TaskEntry], Sequence[TaskEntry]]:
    """Returns the tasks to evaluate, of those named or of all, and those that lack the split."""
    tasks = _tasks(manifest, names)
    chosen = [task for task in tasks if split in task.splits]
    if not chosen:
        raise _no_split(split, tasks)
    streamed = [task.name for task in chosen if split == "train" and task.is_streamed]
    if streamed:
        raise T5MixError(
            f"The training split of {', '.join(streamed)} is streamed, and no store holds all of it. Evaluate another "
            "split, or name the other tasks."
        )
    return chosen, [task for task in tasks if split not in task.splits]


def _teacher_forced(
    model: TrainedModel,
    experiment: Experiment,
    tasks: Mapping[int, TaskEntry],
    stores: Mapping[int, TokenStore],
    num_tasks: int,
) -> dict[str, TaskEvaluation]:
    """Returns each task's loss and token accuracy on the targets as they are."""
    sums = jax.jit(lambda params, batch: batch_sums(model.graphdef, params, batch, num_tasks))
    totals = evaluate_losses(lambda batch: sums(model.params, batch), dict(stores), experiment.batch_shape, num_tasks)
    losses, accuracies = totals.loss(), totals.accuracy()
    return {
        task.name: TaskEvaluation({"loss": float(losses[i]), "token_accuracy": 100 * float(accuracies[i])})
        for i, task in tasks.items()
    }


def _predict(
    model: TrainedModel, store: TokenStore, task_id: int, experiment: Experiment, task: TaskEntry
) -> Iterator[Prediction]:
    """Yields what a task's metrics need: generated text, the likelihoods of targets and of labels, or some of them."""
    options: dict[str, Any] = {"batch_size": experiment.evaluation.batch_size, "task_id": task_id}
    max_length = experiment.lengths.targets
    of_likelihoods = {*(TEACHER_FORCED if task.likelihoods else ()), *(CHOICES if task.choices else ())}
    if set(task.metrics) <= of_likelihoods:
        outputs = [np.zeros(0, np.int32)] * len(store)
    else:
        outputs = generate(model.graphdef, model.params, store, max_length=max_length, label=task.name, **options)
    likelihoods = None
    if task.likelihoods:
        likelihoods = score_targets(
            model.graphdef, model.params, store, label=f"{task.name} targets", **options
        ).log_probs
    choices = None
    if task.choices:
        tokens = list(task.choices.values())
        choices = score_choices(model.graphdef, model.params, store, tokens, label=f"{task.name} labels", **options)
    return decoded(store, outputs, model.tokenizer, likelihoods, tuple(task.choices), choices)


def _manifest_with(
    recorded: DataManifest | None, directory: RunDirectory, split: str, names: Sequence[str]
) -> DataManifest:
    """Returns the run's data if it holds the split, else prepares the split, of the tasks that are named alone."""
    if recorded is not None and recorded.stores_exist():
        tasks = _tasks(recorded, names)
        if any(split in task.splits for task in tasks):
            return recorded
    experiment = read_experiment(directory.experiment())
    request = directory.at_hand(experiment.data_request(splits=tuple(dict.fromkeys(["train", split]))))
    if recorded is not None and names:
        request = dataclasses.replace(request, mixture=tuple(names))
    check_request(request)
    return prepare_in_subprocess(request)
