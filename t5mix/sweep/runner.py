"""Running a sweep: starting what may start, trying again, writing down what failed."""

import dataclasses
import functools
import shlex
import shutil
import sys
import time
from pathlib import Path
from typing import Any, Protocol

from t5mix.errors import T5MixError
from t5mix.files import read_json, write_json
from t5mix.subprocesses import import_path
from t5mix.sweep.data_checks import check_data, data_splits
from t5mix.sweep.equal_budget import equal_steps
from t5mix.sweep.executors import Executor, Handle, end_all
from t5mix.sweep.folder import SweepFolder
from t5mix.sweep.plan import PlannedRun, SweepPlanner, Trial, check_all, manifest, order, placed
from t5mix.sweep.scheduler import RequiredTrials, SweepScheduler
from t5mix.sweep.worker import LASTING, RunRequest, prepared
from t5mix.tracking.provenance import versions

_POLL_SECONDS = 0.3
_LOG_TAIL = 1500  # characters of a failed process's log that say why


@dataclasses.dataclass(frozen=True)
class Cores:
    """Threads that runs compute with on a CPU. Their number decides the last digits of results.

    Attributes:
        trial: of a trial, or a run that it starts from.
        shared: of a run that all methods begin with, and all others wait for.
    """

    trial: int
    shared: int


@dataclasses.dataclass
class Active:
    """A process that was started.

    Attributes:
        run: what it trains.
        trial: what it scores; None if it only trains.
        handle: of the process.
        work: what it does, in words, once it is done.
        since: when it was started, in seconds of `time.monotonic`.
    """

    run: PlannedRun
    trial: Trial | None
    handle: Handle
    work: str
    since: float


class Watcher(Protocol):
    """Told how the sweep goes."""

    def update(self, active: list[Active], done: int, total: int) -> None:
        """Takes notice of the processes that run, and of how many are done and known to come."""
        ...

    def say(self, text: str) -> None:
        """Takes notice of an event."""
        ...


class Runner:
    """Runs one sweep.

    Args:
        planner: of the sweep; what it has planned is not planned again.
        folder: of its results.
        executor: starts processes.
        cores: that they compute with.
        retries: how often a run that failed for a passing reason is tried again.
        watcher: is told how it goes.
    """

    def __init__(
        self,
        planner: SweepPlanner,
        folder: SweepFolder,
        executor: Executor,
        cores: Cores,
        retries: int,
        watcher: Watcher,
    ) -> None:
        self._sweep, self._folder, self._executor = planner.sweep, folder, executor
        self._cores, self._retries, self._watcher = cores, retries, watcher
        self._planner = planner
        self._scheduler = SweepScheduler(self._planner, folder)
        self._active: dict[str, Active] = {}
        self._attempts: dict[str, int] = {}
        self._ended = 0

    def run(self) -> list[dict[str, Any]]:
        """Runs all that is not done yet.

        Returns:
            What failed, as `failed/` has it.

        Raises:
            T5MixError: the sweep, its data or its folder is not in order; no trial was started.
            KeyboardInterrupt: it was interrupted, and all processes have ended.
        """
        with self._folder.held():
            trials = check_all(self._planner)
            check_data(self._planner, trials, functools.partial(prepared, folder=self._folder.data))
            self._folder.claim(self._sweep, dataclasses.asdict(self._cores), versions())
            shutil.rmtree(self._folder.path / "failed", ignore_errors=True)
            for name in ("jobs", "logs", "trials"):
                (self._folder.path / name).mkdir(exist_ok=True)
            try:
                if self._sweep.budget.equal != "steps":
                    self._planner = SweepPlanner(self._sweep, self._equal_steps())
                    self._scheduler = SweepScheduler(self._planner, self._folder)
                    check_all(self._planner)
                self._folder.write("manifest.json", manifest(self._planner))
                return self._train_all()
            except BaseException:
                end_all([active.handle for active in self._active.values()])
                raise

    def _train_all(self) -> list[dict[str, Any]]:
        failures: dict[str, dict[str, Any]] = {}
        while True:
            self._collect()
            wanted = self._scheduler.required_trials()
            jobs = list(self._scheduler.ready_runs(wanted))
            for run, trial, splits in jobs:
                if run.id in self._active:
                    continue
                cores = self._cores.shared if run.shared else self._cores.trial
                if not self._executor.has_room(cores):
                    break  # none overtakes: one that needs many cores would wait for ever
                self._start(run, trial, splits, cores)
            failures |= self._failures(wanted)
            total = self._ended + self._scheduler.count(wanted) + self._scheduler.pending()
            self._watcher.update(list(self._active.values()), self._ended, total)
            if not self._active and not jobs:
                self._folder.write("choices.json", self._scheduler.choices())
                return list(failures.values())
            time.sleep(_POLL_SECONDS)

    # Processes ------------------------------------------------------------------------------------

    def _start(self, run: PlannedRun, trial: Trial | None, splits: tuple[str, ...], cores: int) -> None:
        # A run whose learning rate was chosen is there already, and lacks the scores that are reported.
        work = "trained" if trial is None else "scored" if self._scheduler.trained(run) else "trained and scored"
        self._job(run, trial, splits, cores).save(self._folder.job(run.folder))
        handle = self._executor.submit(run.folder, self._command(run), self._folder.log(run.folder).absolute(), cores)
        self._attempts[run.id] = self._attempts.get(run.id, 0) + 1
        self._active[run.id] = Active(run, trial, handle, work, time.monotonic())

    def _job(self, run: PlannedRun, trial: Trial | None, splits: tuple[str, ...], cores: int) -> RunRequest:
        folder, parents = self._folder.path.absolute(), order(self._planner.runs, [run.id])[:-1]
        experiment = placed(run, folder / "runs", self._planner.runs)
        about = {
            "sweep": self._sweep.name,
            **({} if trial is None else _named(trial)),
            "run": {
                "id": run.id,
                "folder": f"runs/{run.folder}",
                "parents": [f"runs/{parent.folder}" for parent in parents],
            },
            "settings": list(run.overrides),
        }
        return RunRequest(
            experiment=experiment.to_json(),
            splits=splits,
            data_splits=data_splits(self._sweep),
            tasks=self._sweep.tasks if trial is None or trial.task is None else (trial.task,),
            checkpoint=self._sweep.checkpoint,
            about=about,
            trial=None if trial is None else str(self._folder.trial(run.folder).absolute()),
            data=str(self._folder.data.absolute()),
            cores=cores,
            cache=str(Path(experiment.store_dir).parent / "compiled"),
        )

    def _command(self, run: PlannedRun) -> list[str]:
        return [sys.executable, "-m", "t5mix.sweep.worker", str(self._folder.job(run.folder).absolute())]

    def _collect(self) -> None:
        """Takes notice of the processes that have ended."""
        for identity, active in list(self._active.items()):
            status = active.handle.poll()
            if status is None:
                continue
            del self._active[identity]
            seconds = time.monotonic() - active.since
            name = active.run.folder
            if status == 0 and self._left_its_result(active):
                self._ended += 1
                self._watcher.say(f"{name}: {active.work} in {seconds:,.0f} s")
            elif status != LASTING and self._attempts[identity] <= self._retries:
                self._watcher.say(f"{name}: ended with status {status}; trying again. Its log: {self._log(active.run)}")
            else:
                self._scheduler.failed.add(identity)
                self._fail(active, status)

    def _left_its_result(self, active: Active) -> bool:
        return self._scheduler.trained(active.run) if active.trial is None else bool(self._scheduler.scores(active.run))

    def _log(self, run: PlannedRun) -> Path:
        return self._folder.log(run.folder)

    def _fail(self, active: Active, status: int) -> None:
        log = self._log(active.run)
        text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        why = text[-_LOG_TAIL:].strip() or "it said nothing"
        self._watcher.say(f"{active.run.folder} failed with status {status}: {why.splitlines()[-1]}\n  Its log: {log}")
        failure = {
            **({} if active.trial is None else _named(active.trial)),
            "run": {"id": active.run.id, "folder": f"runs/{active.run.folder}"},
            "status": status,
            "why": why,
            "log": str(log.relative_to(self._folder.path)),
            "command": shlex.join(["env", f"PYTHONPATH={import_path()}", *self._command(active.run)]),
        }
        write_json(self._folder.failure(active.run.folder), failure)

    def _failures(self, wanted: RequiredTrials) -> dict[str, dict[str, Any]]:
        """Returns the trials that cannot be had, each with what went wrong, and writes them down."""
        found = {}
        for trial in wanted:
            run = next(
                (run for run in order(self._planner.runs, [trial.run]) if run.id in self._scheduler.failed), None
            )
            if run is None:
                continue
            cause = read_json(self._folder.failure(run.folder))
            found[trial.run] = {**cause, **_named(trial)}
            own = self._folder.failure(self._planner.runs[trial.run].folder)
            if run.id != trial.run and not own.exists():
                write_json(own, found[trial.run])
        return found

    def _equal_steps(self) -> dict[str, int]:
        """Finds out what a step of each method takes, once, and returns the steps that each method gets."""
        unit, of = self._sweep.budget.equal, self._sweep.budget.of
        known = self._folder.read("budget.json") or {}
        configured = {}
        for name in self._planner.methods():
            rates = self._planner.learning_rates(name)
            trial = self._planner.trials(name, self._sweep.seeds[0], rates[len(rates) // 2])[0]
            run = self._planner.runs[trial.run]
            configured[name] = run.steps
            if name not in known:
                known[name] = self._measured(run, unit)
                self._folder.write("budget.json", known)
        steps = equal_steps(
            configured, {name: known[name]["per_step"] for name in configured}, of or next(iter(configured))
        )
        self._folder.write("budget.json", {name: {**known[name], "steps": steps[name]} for name in configured})
        return steps

    def _measured(self, run: PlannedRun, unit: str) -> dict[str, Any]:
        name = f"measure-{run.folder}"
        job, out = self._folder.job(name).absolute(), self._folder.path.absolute() / "jobs" / f"{name}-out.json"
        self._job(run, None, (), self._cores.trial).save(job)
        self._watcher.say(f"{run.name}: finding out what a step takes in {unit}")
        command = [sys.executable, "-m", "t5mix.sweep.measure", str(job), unit, str(out)]
        log = self._folder.log(name).absolute()
        handle = self._executor.submit(name, command, log, self._cores.trial)
        self._active[name] = Active(run, None, handle, "measured", time.monotonic())
        while (status := handle.poll()) is None:
            time.sleep(_POLL_SECONDS)
        del self._active[name]
        if status != 0:
            raise T5MixError(f"budget: {run.name} could not be measured: {log.read_text('utf-8')[-_LOG_TAIL:].strip()}")
        return read_json(out)


def _named(trial: Trial) -> dict[str, Any]:
    return {name: getattr(trial, name) for name in ("method", "seed", "learning_rate", "task")}
