"""The training loop: data in, steps, logs, evaluations, checkpoints, and out again where it was stopped."""

import contextlib
import functools
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from signal import Signals
from typing import Any

import numpy as np

from t5mix.checkpoint.reader import read_base
from t5mix.checkpoint.train_state import Params, TrainState
from t5mix.checkpoint.writer import Checkpoints, size_of
from t5mix.console.stage import LATER, stage
from t5mix.data.manifest import DataManifest
from t5mix.data.pipeline import TrainBatch, task_data, training_batches
from t5mix.data.prefetch import Prefetcher
from t5mix.data.token_store import TokenStore, open_store
from t5mix.distributed.consensus import StopConsensus
from t5mix.distributed.processes import is_main_process, processes_that_differ
from t5mix.distributed.signals import StopRequest
from t5mix.errors import T5MixError
from t5mix.evaluation.choices import evaluate_choices
from t5mix.evaluation.generate import score_choices
from t5mix.evaluation.teacher_forced import evaluate_losses
from t5mix.files import check_room, disk_errors
from t5mix.mixing.budget import BudgetEstimate, estimate_budget, read_task_sizes
from t5mix.mixing.controller import MixtureController, initial_state
from t5mix.mixing.task_sizes import TaskSizes
from t5mix.mixing.warnings import MixtureWarnings
from t5mix.tracking.metric_logger import MetricLogger, NullMetricLogger
from t5mix.training.config import IN_FLIGHT
from t5mix.training.job import Outcome, TrainingJob
from t5mix.training.metrics_accumulator import MetricsAccumulator
from t5mix.training.steps_in_flight import StepsInFlight


class Trainer:
    """A run under way: what it carries from step to step besides the state on the devices.

    Args:
        job: what is run.
        checkpoints: where its state goes.
        run_state: what the checkpoint that it continues from holds besides arrays; None to begin.
        first: the step it begins at.
    """

    def __init__(
        self, job: TrainingJob, checkpoints: Checkpoints, run_state: Mapping[str, Any] | None, first: int
    ) -> None:
        self.job, self.checkpoints = job, checkpoints
        self.sizes = {task.name: task.splits["train"].counts.examples for task in job.manifest.tasks}
        self.names = list(self.sizes)
        self.warnings = MixtureWarnings(self.sizes, job.config.warn_epochs, job.config.warn_examples)
        task_sizes = read_task_sizes(job.manifest, job.strategy, job.unit)
        if run_state is None:
            with stage("Packing the first batches" if is_main_process() else None):
                expected = estimate_budget(
                    job.manifest, job.strategy, task_sizes, job.shape, steps=job.config.steps, seed=job.seed
                )
            mixing = initial_state(job.strategy, task_sizes, expected.budget)
            warnings = [*job.engine.what_trains(), *self._mixture_warnings(task_sizes, expected)]
            drawn = dict(zip(self.names, expected.examples.tolist(), strict=True))
            self.foreseen = self.warnings.rarely_seen(drawn)
        else:
            mixing, warnings, self.foreseen = run_state["mixing"], [], []
        self.controller = MixtureController(
            job.strategy,
            task_sizes,
            mixing,
            lag=job.config.feedback_lag,
            first_step=first,
            dump=job.directory.path / "mixing_state.json" if is_main_process() else None,
        )
        self.in_flight = StepsInFlight()
        self.accumulator = MetricsAccumulator(self.sizes, run_state["metrics"] if run_state else None)
        self.best: dict[str, dict[str, float]] = dict(run_state["best"]) if run_state else {}
        self.stream: dict[str, Any] | None = run_state["stream"] if run_state else None
        self.validation = _validation_stores(job.manifest)
        self.logger = self._metric_logger(first) if is_main_process() else NullMetricLogger()
        for text in warnings:
            self.logger.info(text)

    def _metric_logger(self, first: int) -> MetricLogger:
        directory, config = self.job.directory, self.job.config
        return MetricLogger(
            directory.metrics,
            directory.tensorboard,
            steps=config.steps,
            first_step=first,
            log_every=config.log_every,
        )

    def _mixture_warnings(self, task_sizes: TaskSizes, expected: BudgetEstimate) -> list[str]:
        duplicates = [
            f"{' and '.join(names)} hold the same training data and count as one task, drawn in equal parts."
            for names in task_sizes.duplicates.values()
        ]
        return [*duplicates, *self.warnings.before_run(expected.examples)]

    def batches(self, first: int) -> Iterator[TrainBatch]:
        """Yields the batches from step `first` on."""
        job = self.job
        return training_batches(
            [task_data(task, job.shards) for task in job.manifest.tasks],
            job.shape,
            seed=job.seed,
            proportions=lambda step: self.controller.mixture(step).example_proportions,
            first_step=first,
            state=self.stream,
            rows=job.engine.rows,
        )

    def arrays(self, batch: TrainBatch) -> dict[str, np.ndarray]:
        """Returns what a batch brings to the devices."""
        loss_weights, arrays = self.controller.mixture_of(batch.step).loss_weights, batch.arrays
        if loss_weights is not None:
            share = loss_weights / np.maximum(batch.counts.target_tokens, 1) * batch.counts.target_tokens.sum()
            real = arrays["decoder_segment_ids"] > 0
            weights = np.where(real, share[arrays["decoder_task_ids"]], 0.0).astype(np.float32)
            arrays = {**arrays, "decoder_loss_weights": weights}
        if self.job.reference is not None:
            arrays = {**arrays, "decoder_reference_losses": self.job.reference(batch.arrays)}
        return arrays

    def collect(self, remaining: int = IN_FLIGHT) -> None:
        """Passes on what finished steps say: to the mixture controller, and to the metrics that are logged.

        Args:
            remaining: how many steps may stay unfinished; 0 waits for all of them.
        """
        for finished in self.in_flight.finished(remaining):
            mixture, sums = self.controller.mixture_of(finished.step - 1), finished.metrics.sums
            self.controller.observe(
                finished.step - 1,
                loss_sums=np.asarray(sums.cross_entropy),
                loss_tokens=np.asarray(sums.loss_tokens),
                examples=finished.counts.examples,
                tokens=finished.counts.input_tokens + finished.counts.target_tokens,
                excess_sums=None if sums.excess is None else np.asarray(sums.excess),
            )
            self.accumulator.add(finished, mixture)

    def log(self, step: int) -> None:
        """Logs the metrics of the steps since the last time."""
        self.collect(remaining=0)
        line = self.accumulator.log_line(step, self.controller.mixture_of(step - 1))
        self.logger.log_metrics(line)
        for text in self.warnings.at_log_step(line):
            self.logger.info(text)

    def evaluate(self, state: TrainState) -> bool:
        """Evaluates the validation splits and says whether any task has a new best."""
        job, started, step, params = self.job, time.perf_counter(), int(state.step), state.params
        limit = job.config.evaluation_examples
        examples = sum(min(len(store), limit or len(store)) for store in self.validation.values())
        with self.logger.counting("Evaluating", examples) as advance:
            totals = evaluate_losses(
                lambda batch: job.engine.sums(params, batch),
                self.validation,
                job.shape,
                len(self.names),
                limit,
                job.engine.rows,
                advance,
            )
        losses, accuracies = totals.loss(), totals.accuracy()
        tasks = {
            self.names[i]: {"loss": float(losses[i]), "token_accuracy": float(accuracies[i])}
            for i, store in self.validation.items()
            if len(store)
        }
        for i, store in self.validation.items():
            if job.manifest.tasks[i].choices and len(store):
                with self.logger.during("Choosing among labels", after=LATER):
                    tasks[self.names[i]] |= self._choices(i, params)
        self.logger.log_evaluation(step, time.perf_counter() - started, tasks)
        better = {
            task: {"step": step, "loss": values["loss"]}
            for task, values in tasks.items()
            if task not in self.best or values["loss"] < self.best[task]["loss"]
        }
        self.best |= better
        return bool(better)

    def _choices(self, task_id: int, params: Params) -> dict[str, float]:
        """Returns the values of a task's metrics of choices, on its validation split."""
        job = self.job
        score = functools.partial(
            score_choices,
            *(job.engine.graphdef, params),
            batch_size=job.config.batch_size,
            put=job.engine.put_rows,
            task_id=task_id,
        )
        store, task = self.validation[task_id], job.manifest.tasks[task_id]
        return evaluate_choices(score, store, task, job.config.evaluation_examples)

    def checkpoint(self, state: TrainState) -> None:
        """Saves all that the run needs to go on from here.

        Raises:
            T5MixError: the processes of the run no longer do the same.
        """
        self.collect(remaining=0)
        self.logger.flush()
        run_state = {
            "stream": self.stream,
            "metrics": self.accumulator.state(),
            "mixing": self.controller.state(),
            "best": self.best,
        }
        if others := processes_that_differ(run_state):
            raise T5MixError(
                f"At step {int(state.step)} the processes {others} have other data or other losses than process 0, so "
                "no checkpoint is written. Start again to continue from the last one; if it comes back, one of their "
                "devices computes wrongly."
            )
        base = {"base": self.job.base.to_json()} if self.job.base else {}
        self.checkpoints.save(state, {**run_state, **self.job.checkpoint_metadata, **base})
        self.tidy()

    def tidy(self) -> None:
        """Deletes what need not be kept; while a checkpoint is being written, as many complete ones stay."""
        best = {int(entry["step"]) for entry in self.best.values()}
        self.checkpoints.keep({*self.checkpoints.steps()[-self.job.config.max_checkpoints_to_keep :], *best})

    def conclude(self) -> None:
        """Warns of what became of the mixture."""
        examples = dict(zip(self.names, self.accumulator.total.examples.tolist(), strict=True))
        for text in self.warnings.after_run(examples, self.foreseen):
            self.logger.info(text)

    def close(self) -> None:
        """Closes the logger, and wakes whoever waits for feedback or for a shard of the data."""
        self.controller.close()
        if self.job.shards is not None:
            self.job.shards.close()
        self.logger.close()


def train(job: TrainingJob) -> Outcome:
    """Trains until the last step or a signal, from the run's latest checkpoint if it has one.

    Raises:
        T5MixError: a damaged store or checkpoint, a loss that is not finite, a full disk.
    """
    check_room(job.directory.checkpoints, size_of(job.engine.like(job.config.steps)))
    with contextlib.ExitStack() as opened:
        opened.enter_context(disk_errors(job.directory.path))
        checkpoints = opened.enter_context(contextlib.closing(Checkpoints(job.directory.checkpoints, job.from_base)))
        steps = checkpoints.steps()
        if steps:
            state, run_state = checkpoints.restore(steps[-1], job.engine.like(steps[-1]), _from_base(job))
        else:
            state, run_state = job.engine.start(job.start_from), None
        first = int(state.step)
        trainer = Trainer(job, checkpoints, run_state, first)
        batches = opened.enter_context(contextlib.closing(Prefetcher(trainer.batches(first), job.config.prefetch)))
        # Closed before the batches, whose thread may wait for the controller.
        opened.enter_context(contextlib.closing(trainer))
        outcome = _take_steps(trainer, state, batches)
        checkpoints.finish()
        trainer.tidy()
        if outcome.finished:
            trainer.conclude()
    return outcome


def _take_steps(trainer: Trainer, state: TrainState, batches: Iterator[TrainBatch]) -> Outcome:
    """Takes steps until the last one or a signal."""
    config = trainer.job.config
    outcome = Outcome(int(state.step), finished=int(state.step) >= config.steps)
    consensus = StopConsensus(trainer.job.engine.mesh, delay=IN_FLIGHT)
    first_step = trainer.logger.during("Compiling the first step")
    with StopRequest() as stop:
        while outcome.step < config.steps and outcome.signal is None:
            batch = next(batches)
            with first_step:
                state, metrics = trainer.job.engine.step(state, trainer.arrays(batch))
            first_step = contextlib.nullcontext()
            step = batch.step + 1
            state = trainer.job.engine.advance(state, step)
            trainer.in_flight.add(step, metrics, batch.counts)
            trainer.collect()
            trainer.stream = batch.state
            trainer.logger.advance(step)
            last, signal = step == config.steps, consensus(stop.signal or 0)
            if step % config.log_every == 0 or last:
                trainer.log(step)
            improved = False
            if trainer.validation and (last or (config.evaluate_every and step % config.evaluate_every == 0)):
                improved = trainer.evaluate(state)
            if improved or last or signal or step % config.checkpoint_every == 0:
                trainer.checkpoint(state)
            outcome = Outcome(step, finished=last, signal=Signals(signal).name if signal else None)
    return outcome


def _from_base(job: TrainingJob) -> Params:
    """Returns what the run's checkpoints leave out."""
    if job.base is None:
        return {}
    return read_base(job.directory.path, job.base, {path: job.engine.params[path] for path in job.from_base})


def _validation_stores(manifest: DataManifest) -> dict[int, TokenStore]:
    tasks = enumerate(manifest.tasks)
    return {i: open_store(Path(t.splits["validation"].path)) for i, t in tasks if "validation" in t.splits}
