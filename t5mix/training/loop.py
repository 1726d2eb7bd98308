"""The training loop: data in, steps, logs, evaluations, checkpoints, and out again where it was stopped."""

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from t5mix.data.lock import DataLock
from t5mix.data.pipeline import EpochStores, TrainBatch, task_data, training_batches
from t5mix.data.plan import BatchShape
from t5mix.data.prefetch import Prefetcher
from t5mix.data.store import TokenStore, open_store
from t5mix.evaluation.losses import evaluate_losses
from t5mix.mixing.base import MixingStrategy
from t5mix.training.checkpoint import Checkpoints, size_of
from t5mix.training.config import TrainingConfig
from t5mix.training.disk import check_room, disk_errors
from t5mix.training.engine import Engine
from t5mix.training.interrupt import StopRequest
from t5mix.training.journal import Display, MetricsFile, TensorBoard
from t5mix.training.run_directory import RunDirectory
from t5mix.training.state import TrainState
from t5mix.training.window import Window


@dataclasses.dataclass(frozen=True)
class Job:
    """All that a training run consists of.

    Attributes:
        directory: the run's folder.
        lock: its data.
        epochs: makes the stores of random tasks.
        strategy: how tasks are mixed.
        config: the loop's settings.
        engine: the compiled functions.
        start_from: checkpoint that the parameters come from; None for fresh ones.
        seed: of the data stream.
        about: what each checkpoint should say of itself: model, vocabulary.
    """

    directory: RunDirectory
    lock: DataLock
    epochs: EpochStores
    strategy: MixingStrategy
    config: TrainingConfig
    engine: Engine
    start_from: Path | None
    seed: int
    about: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        step: updates completed.
        finished: whether that is all of them.
        signal: the name of the signal that stopped it early, or None.
    """

    step: int
    finished: bool
    signal: str | None = None


class _Progress:
    """What a run carries from step to step besides the state on the devices."""

    def __init__(self, job: Job, host: Mapping[str, Any] | None) -> None:
        self.names = [task.name for task in job.lock.tasks]
        self.sizes = {task.name: task.splits["train"].counts.examples for task in job.lock.tasks}
        window = host["window"] if host else None
        self.window = Window(self.names, list(self.sizes.values()), window)
        self.best: dict[str, dict[str, float]] = dict(host["best"]) if host else {}
        self.stream: dict[str, Any] | None = host["stream"] if host else None
        self.strategy_state = host["mixing"] if host else job.strategy.init(self.sizes)

    def weights(self, job: Job, step: int) -> np.ndarray:
        """Returns the proportions in force at a step, in the order of task ids."""
        weights = job.strategy.weights(self.strategy_state, step)
        return np.asarray([weights[name] for name in self.names])

    def host(self, job: Job) -> dict[str, Any]:
        """Returns what a checkpoint must hold besides the arrays."""
        return {
            "stream": self.stream,
            "window": self.window.state(),
            "mixing": self.strategy_state,
            "best": self.best,
            **job.about,
        }


def train(job: Job) -> Outcome:
    """Trains until the last step or a signal, from the run's latest checkpoint if it has one.

    Raises:
        T5MixError: a damaged store or checkpoint, a loss that is not finite, a full disk.
    """
    check_room(job.directory.checkpoints, size_of(job.engine.like))
    with contextlib.ExitStack() as opened:
        opened.enter_context(disk_errors(job.directory.path))
        checkpoints = opened.enter_context(contextlib.closing(Checkpoints(job.directory.checkpoints)))
        steps = checkpoints.steps()
        if steps:
            state, host = checkpoints.restore(steps[-1], job.engine.like)
        else:
            state, host = job.engine.start(job.start_from), None
        first, progress = int(state.step), _Progress(job, host)
        validation = _validation_stores(job.lock)
        source = _batches(job, progress, batch_shape(job), first)
        board = opened.enter_context(contextlib.closing(TensorBoard(job.directory.tensorboard)))
        log = opened.enter_context(contextlib.closing(MetricsFile(job.directory.metrics, first)))
        display = opened.enter_context(contextlib.closing(Display(job.config.steps, first)))
        if first:
            display.say(f"Continuing after step {first} of {job.config.steps}.")
        batches = opened.enter_context(contextlib.closing(Prefetcher(source, job.config.prefetch)))
        outcome = _take_steps(job, state, batches, validation, progress, checkpoints, log, board, display)
        checkpoints.finish()
        _tidy(job, progress, checkpoints)
    return outcome


def _take_steps(
    job: Job,
    state: TrainState,
    batches: Iterator[TrainBatch],
    validation: Mapping[int, TokenStore],
    progress: _Progress,
    checkpoints: Checkpoints,
    log: MetricsFile,
    board: TensorBoard,
    display: Display,
) -> Outcome:
    """Takes steps until the last one or a signal."""
    config, shape = job.config, batch_shape(job)
    outcome = Outcome(int(state.step), finished=int(state.step) >= config.steps)
    with StopRequest() as stop:
        while outcome.step < config.steps and outcome.signal is None:
            batch = next(batches)
            state, metrics = job.engine.step(state, batch.arrays)
            step = batch.step + 1
            progress.window.add(step, metrics, batch.counts)
            progress.stream = batch.state
            display.advance(step)
            last, signal = step == config.steps, stop.signal  # read once: it may come at any moment
            if step % config.log_every == 0 or last:
                _log(progress.window.close(step, progress.weights(job, batch.step)), config, log, board, display)
            improved = False
            if validation and (last or (config.evaluate_every and step % config.evaluate_every == 0)):
                improved = _evaluate(job, state, step, shape, validation, progress, log, board)
            if improved or last or signal or step % config.checkpoint_every == 0:
                _checkpoint(job, state, progress, checkpoints, log)
            outcome = Outcome(step, finished=last, signal=signal.name if signal else None)
    return outcome


def batch_shape(job: Job) -> BatchShape:
    """Returns the shape of a training batch."""
    request = job.lock.request
    return job.config.batch_shape(request.inputs_length, request.targets_length)


def _batches(job: Job, progress: _Progress, shape: BatchShape, first: int) -> Iterator[TrainBatch]:
    return training_batches(
        [task_data(task, job.epochs) for task in job.lock.tasks],
        shape,
        seed=job.seed,
        weights=lambda step: progress.weights(job, step),
        first_step=first,
        state=progress.stream,
    )


def _validation_stores(lock: DataLock) -> dict[int, TokenStore]:
    tasks = enumerate(lock.tasks)
    return {i: open_store(Path(t.splits["validation"].path)) for i, t in tasks if "validation" in t.splits}


def _log(line: dict[str, Any], config: TrainingConfig, log: MetricsFile, board: TensorBoard, display: Display) -> None:
    log.write(line)
    scalars = {name: line[name] for name in ("loss", "learning_rate", "gradient_norm", "tokens_per_second")}
    for task, values in line["tasks"].items():
        scalars |= {f"{name}/{task}": value for name, value in values.items()}
    board.write(line["step"], {name: value for name, value in scalars.items() if value is not None})
    steps = line["step"] % config.log_every or config.log_every
    seconds_left = line["seconds"] / steps * (config.steps - line["step"])
    display.log(line["step"], line["loss"], line["tokens_per_second"], seconds_left)


def _evaluate(
    job: Job,
    state: TrainState,
    step: int,
    shape: BatchShape,
    stores: Mapping[int, TokenStore],
    progress: _Progress,
    log: MetricsFile,
    board: TensorBoard,
) -> bool:
    """Evaluates the validation splits and says whether any task has a new best."""
    started, params = time.perf_counter(), state.params
    totals = evaluate_losses(
        lambda batch: job.engine.sums(params, batch), stores, shape, len(progress.names), job.config.evaluation_examples
    )
    losses, accuracies = totals.loss(), totals.accuracy()
    tasks = {
        progress.names[i]: {"loss": float(losses[i]), "token_accuracy": float(accuracies[i])}
        for i, store in stores.items()
        if len(store)
    }
    log.write({"kind": "evaluation", "step": step, "seconds": time.perf_counter() - started, "tasks": tasks})
    board.write(step, {f"validation_{kind}/{task}": v for task, values in tasks.items() for kind, v in values.items()})
    improved = False
    for task, values in tasks.items():
        if task not in progress.best or values["loss"] < progress.best[task]["loss"]:
            progress.best[task] = {"step": step, "loss": values["loss"]}
            improved = True
    return improved


def _checkpoint(job: Job, state: TrainState, progress: _Progress, checkpoints: Checkpoints, log: MetricsFile) -> None:
    host = progress.host(job)
    log.flush()
    checkpoints.save(state, host)
    _tidy(job, progress, checkpoints)


def _tidy(job: Job, progress: _Progress, checkpoints: Checkpoints) -> None:
    """Deletes what need not be kept; while a checkpoint is being written, as many complete ones stay."""
    best = {int(entry["step"]) for entry in progress.best.values()}
    checkpoints.keep({*checkpoints.steps()[-job.config.keep :], *best})
