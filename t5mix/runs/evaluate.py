"""Evaluating a run's model on a split of its tasks."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from t5mix.config.experiment import Experiment
from t5mix.config.reading import read_experiment
from t5mix.config.recorded import DATA_KEYS, with_settings
from t5mix.console.progress import progress
from t5mix.console.stage import stage
from t5mix.data.manifest import TaskEntry
from t5mix.data.token_store import TokenStore, open_store
from t5mix.errors import T5MixError
from t5mix.evaluation.generate import generate, score_choices, score_targets
from t5mix.evaluation.predictions import Prediction, decoded, predictions_path, write_predictions
from t5mix.evaluation.scoring_client import Scorer
from t5mix.evaluation.teacher_forced import evaluate_losses
from t5mix.metrics.example_scores import CHOICES, TEACHER_FORCED, TaskEvaluation
from t5mix.runs.evaluation_data import evaluation_data
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
    settings: Sequence[str] = (),
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
        settings: changes of the run's configuration, `key=value`, such as `tasks.sst2.files.test=new.tsv`; the keys are
            those of `t5mix.config.recorded.DATA_KEYS`.
        notice: is told which tasks are left out, as they lack the split or targets in it, before the work begins.

    Returns:
        For each task `loss` (nats a token), `token_accuracy` (teacher-forced, 0 to 100) and its metrics; with what
        each example adds to the latter, and the signatures of those that have one.

    Raises:
        T5MixError: the run, the checkpoint or a task does not exist, none of the tasks has the split, or a setting is
            wrong.
    """
    directory = RunDirectory(run)
    experiment = read_experiment(with_settings(directory.experiment(), settings, DATA_KEYS))
    path = checkpoint_of(run, which)
    data = evaluation_data(directory, experiment, split, tasks, as_recorded=not settings, notice=notice)
    manifest = data.manifest
    ids = {task.name: i for i, task in enumerate((directory.manifest() or manifest).tasks)}  # as the model was trained
    by_id = {ids[task.name]: task for task in data.tasks}
    stores = {i: open_store(task.path(split)) for i, task in by_id.items()}
    scored = [task.name for task in data.tasks if task.metrics]
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


def _teacher_forced(
    model: TrainedModel,
    experiment: Experiment,
    tasks: Mapping[int, TaskEntry],
    stores: Mapping[int, TokenStore],
    num_tasks: int,
) -> dict[str, TaskEvaluation]:
    """Returns each task's loss and token accuracy on the targets as they are."""
    sums = jax.jit(lambda params, batch: batch_sums(model.graphdef, params, batch, num_tasks))
    with progress("losses", sum(map(len, stores.values()))) as advance:
        totals = evaluate_losses(
            lambda batch: sums(model.params, batch), stores, experiment.batch_shape, num_tasks, advance=advance
        )
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
    of_likelihoods = {*(TEACHER_FORCED if task.likelihoods else ()), *(CHOICES if task.choices else ())}
    if set(task.metrics) <= of_likelihoods:
        outputs = [np.zeros(0, np.int32)] * len(store)
    else:
        outputs = generate(
            model.graphdef,
            model.params,
            store,
            max_length=experiment.lengths.targets,
            generation=experiment.evaluation.generation,
            label=task.name,
            **options,
        )
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
