"""Running a sweep: starting what may start, trying again, writing down what failed."""

import dataclasses
import functools
import shlex
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from t5mix.errors import T5MixError
from t5mix.files import read_json
from t5mix.subprocesses import import_path
from t5mix.sweep.data_checks import check_data, data_splits
from t5mix.sweep.equal_budget import equal_steps
from t5mix.sweep.executors import CoresPerRun, Executor, terminate_all
from t5mix.sweep.folder import SweepFolder
from t5mix.sweep.plan import SweepPlanner, Trial, plan_trials
from t5mix.sweep.planned_runs import PlannedRun, experiment_in, sweep_manifest, with_ancestors
from t5mix.sweep.progress import RunningProcess, SweepListener
from t5mix.sweep.scheduler import RequiredTrials, SweepScheduler
from t5mix.sweep.trial import Failure, RunReference, read_failure
from t5mix.sweep.worker import PERMANENT_ERROR, RunRequest, prepare_once
from t5mix.tracking.provenance import versions

_POLL_SECONDS = 0.3
_LOG_TAIL = 1500  # characters of a failed process's log that say why


class Runner:
    """Runs one sweep.

    Args:
        planner: of the sweep; what it has planned is not planned again.
        folder: of its results.
        executor: starts processes.
        cores: that they compute with.
        retries: how often a run that failed for a passing reason is tried again.
        listener: is told how it goes.
    """

    def __init__(
        self,
        planner: SweepPlanner,
        folder: SweepFolder,
        executor: Executor,
        cores: CoresPerRun,
        retries: int,
        listener: SweepListener,
    ) -> None:
        self._sweep, self._folder, self._executor = planner.sweep, folder, executor
        self._cores, self._retries, self._listener = cores, retries, listener
        self._planner = planner
        self._scheduler = SweepScheduler(self._planner, folder)
        self._active: dict[str, RunningProcess] = {}
        self._attempts: dict[str, int] = {}

    def run(self) -> list[Failure]:
        """Runs all that is not done yet.

        Returns:
            The trials that failed.

        Raises:
            T5MixError: the sweep, its data or its folder is not in order; no trial was started.
            KeyboardInterrupt: it was interrupted, and all processes have ended.
        """
        with self._folder.locked():
            trials = plan_trials(self._planner)
            check_data(self._planner, trials, functools.partial(prepare_once, folder=self._folder.data))
            self._folder.claim(self._sweep, dataclasses.asdict(self._cores), versions())
            shutil.rmtree(self._folder.path / "failed", ignore_errors=True)
            for name in ("jobs", "logs", "trials"):
                (self._folder.path / name).mkdir(exist_ok=True)
            try:
                if self._sweep.budget.equal != "steps":
                    self._planner = SweepPlanner(self._sweep, self._equal_steps())
                    self._scheduler = SweepScheduler(self._planner, self._folder)
                    plan_trials(self._planner)
                self._folder.write("manifest.json", sweep_manifest(self._planner.runs))
                return self._train_all()
            except BaseException:
                terminate_all([process.handle for process in self._active.values()])
                raise

    def _train_all(self) -> list[Failure]:
        failures: dict[str, Failure] = {}
        while True:
            self._collect()
            required = self._scheduler.required_trials()
            done, total = self._scheduler.progress(required)
            jobs = list(self._scheduler.ready_runs(required))
            for run, trial, splits in jobs:
                if run.id in self._active:
                    continue
                cores = self._cores.shared if run.shared else self._cores.trial
                if not self._executor.has_room(cores):
                    break  # none overtakes: one that needs many cores would wait for ever
                self._start(run, trial, splits, cores)
            failures |= self._failures(required)
            self._listener.update(list(self._active.values()), done, total)
            if not self._active and not jobs:
                self._folder.write("choices.json", self._scheduler.choices())
                return list(failures.values())
            time.sleep(_POLL_SECONDS)

    # Processes ------------------------------------------------------------------------------------

    def _start(self, run: PlannedRun, trial: Trial | None, splits: tuple[str, ...], cores: int) -> None:
        # A run whose learning rate was chosen is there already, and lacks the scores that are reported.
        work = "trained" if trial is None else "scored" if self._scheduler.trained(run) else "trained and scored"
        name = self._name(run, trial, splits)
        self._job(run, trial, splits, cores).save(self._folder.job(run.folder))
        handle = self._executor.submit(run.folder, self._command(run), self._folder.log(run.folder).absolute(), cores)
        self._attempts[run.id] = self._attempts.get(run.id, 0) + 1
        self._active[run.id] = RunningProcess(name, run, trial, handle, work, time.monotonic())

    def _name(self, run: PlannedRun, trial: Trial | None, splits: tuple[str, ...]) -> str:
        """Returns what a run is called and, of a trial, what it is scored for now."""
        if trial is None:
            return f"{run.name}, seed {run.experiment.seed}"
        tuning = self._sweep.tuning
        for_tuning = tuning is not None and tuning.split in splits and tuning.split not in self._scheduler.scores(run)
        return f"{trial}, {'tuning' if for_tuning else 'test'}"

    def _job(self, run: PlannedRun, trial: Trial | None, splits: tuple[str, ...], cores: int) -> RunRequest:
        folder, runs = self._folder.path.absolute(), self._planner.runs
        experiment = experiment_in(folder / "runs", run, runs)
        description = {
            "sweep": self._sweep.name,
            **({} if trial is None else dataclasses.asdict(trial.key)),
            "run": dataclasses.asdict(self._reference(run)),
            "settings": list(run.overrides),
        }
        return RunRequest(
            experiment=experiment.to_json(),
            splits=splits,
            data_splits=data_splits(self._sweep),
            tasks=self._sweep.tasks if trial is None or trial.task is None else (trial.task,),
            checkpoint=self._sweep.checkpoint,
            description=description,
            trial=None if trial is None else str(self._folder.trial(run.folder).absolute()),
            data=str(self._folder.data.absolute()),
            cores=cores,
            cache=str(Path(experiment.store_dir).parent / "compiled"),
        )

    def _reference(self, run: PlannedRun) -> RunReference:
        *ancestors, _ = with_ancestors(self._planner.runs, [run.id])
        return RunReference(run.id, f"runs/{run.folder}", [f"runs/{ancestor.folder}" for ancestor in ancestors])

    def _command(self, run: PlannedRun) -> list[str]:
        return [sys.executable, "-m", "t5mix.sweep.worker", str(self._folder.job(run.folder).absolute())]

    def _collect(self) -> None:
        """Takes notice of the processes that have ended."""
        for run_id, process in list(self._active.items()):
            status = process.handle.poll()
            if status is None:
                continue
            del self._active[run_id]
            seconds = time.monotonic() - process.since
            name = process.name
            if status == 0 and self._left_its_result(process):
                self._listener.info(f"{name}: {process.work} in {seconds:,.0f} s")
            elif status != PERMANENT_ERROR and self._attempts[run_id] <= self._retries:
                self._listener.info(
                    f"{name}: ended with status {status}; trying again. Its log: {self._log(process.run)}"
                )
            else:
                self._scheduler.failed.add(run_id)
                self._fail(process, status)

    def _left_its_result(self, process: RunningProcess) -> bool:
        run = process.run
        return self._scheduler.trained(run) if process.trial is None else bool(self._scheduler.scores(run))

    def _log(self, run: PlannedRun) -> Path:
        return self._folder.log(run.folder)

    def _fail(self, process: RunningProcess, status: int) -> None:
        run, log = process.run, self._log(process.run)
        text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        why = text[-_LOG_TAIL:].strip() or "it said nothing"
        failure = Failure(
            run=self._reference(run),
            status=status,
            why=why,
            log=str(log.relative_to(self._folder.path)),
            command=shlex.join(["env", f"PYTHONPATH={import_path()}", *self._command(run)]),
        )
        self._listener.info(f"{process.name}: failed with status {status}: {failure.reason}\n  Its log: {log}")
        failure = failure if process.trial is None else failure.of(process.trial)
        failure.write(self._folder.failure(run.folder))

    def _failures(self, required: RequiredTrials) -> dict[str, Failure]:
        """Returns the trials that cannot be had, each with what went wrong, and writes them down."""
        failures = {}
        for trial in required:
            chain = with_ancestors(self._planner.runs, [trial.run])
            run = next((run for run in chain if run.id in self._scheduler.failed), None)
            if run is None:
                continue
            failures[trial.run] = read_failure(self._folder.failure(run.folder)).of(trial)
            path = self._folder.failure(chain[-1].folder)
            if not path.exists():
                failures[trial.run].write(path)
        return failures

    # Equal budgets --------------------------------------------------------------------------------

    def _equal_steps(self) -> dict[str, int]:
        """Finds out what a step of each method takes, once, and returns the steps that each method gets."""
        budget = self._sweep.budget
        costs = self._folder.read("budget.json") or {}
        configured = {}
        for label, variant in self._sweep.variants.items():
            trial = self._planner.trials(variant, self._sweep.seeds[0], variant.middle_rate)[0]
            run = self._planner.runs[trial.run]
            configured[label] = run.steps
            if label not in costs:
                costs[label] = self._step_cost(run, budget.equal)
                self._folder.write("budget.json", costs)
        per_step = {label: costs[label]["per_step"] for label in configured}
        steps = equal_steps(configured, per_step, budget.of or next(iter(configured)))
        self._folder.write("budget.json", {label: {**costs[label], "steps": steps[label]} for label in configured})
        return steps

    def _step_cost(self, run: PlannedRun, unit: str) -> dict[str, Any]:
        name = f"measure-{run.folder}"
        job, out = self._folder.job(name).absolute(), self._folder.path.absolute() / "jobs" / f"{name}-out.json"
        self._job(run, None, (), self._cores.trial).save(job)
        self._listener.info(f"{run.name}: finding out what a step takes in {unit}")
        command = [sys.executable, "-m", "t5mix.sweep.step_cost", str(job), unit, str(out)]
        log = self._folder.log(name).absolute()
        handle = self._executor.submit(name, command, log, self._cores.trial)
        self._active[name] = RunningProcess(run.name, run, None, handle, "measured", time.monotonic())
        while (status := handle.poll()) is None:
            time.sleep(_POLL_SECONDS)
        del self._active[name]
        if status != 0:
            raise T5MixError(f"budget: {run.name} could not be measured: {log.read_text('utf-8')[-_LOG_TAIL:].strip()}")
        return read_json(out)
