"""Running a sweep: which runs are wanted now, which of them may start, and what became of them.

Nothing is kept in memory that the files do not say: what is done is what has left its result, and what is wanted next
follows from the scores. So a sweep that was killed goes on from its files, to the same results.
"""

import dataclasses
import functools
import json
import math
import shlex
import shutil
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from t5mix.data.child import import_path
from t5mix.errors import T5MixError
from t5mix.evaluation.example_scores import TaskEvaluation
from t5mix.runs.provenance import versions
from t5mix.sweep.budget import equal_steps
from t5mix.sweep.checks import check_data, data_splits
from t5mix.sweep.executors import Executor, Handle, end_all
from t5mix.sweep.folder import SweepFolder, plain
from t5mix.sweep.job import LASTING, Job, prepared
from t5mix.sweep.plan import PlannedRun, Planner, Trial, check_all, order, placed
from t5mix.sweep.spec import Sweep
from t5mix.sweep.tuning import Choice, search
from t5mix.training.run_directory import RunDirectory

_POLL_SECONDS = 0.3
_LOG_TAIL = 1500  # characters of a failed process's log that say why


@dataclasses.dataclass(frozen=True)
class Cores:
    """Threads that runs compute with on a CPU. Their number decides the last digits of results.

    Attributes:
        trial: of a trial, or a run that it starts from.
        before: of a run that all methods begin with, and all others wait for.
    """

    trial: int
    before: int


@dataclasses.dataclass
class Active:
    """A process that was started.

    Attributes:
        run: what it trains.
        trial: what it scores; None if it only trains.
        handle: of the process.
        since: when it was started, in seconds of `time.monotonic`.
    """

    run: PlannedRun
    trial: Trial | None
    handle: Handle
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
        sweep: the sweep.
        folder: of its results.
        executor: starts processes.
        cores: that they compute with.
        retries: how often a run that failed for a passing reason is tried again.
        watcher: is told how it goes.
    """

    def __init__(
        self,
        sweep: Sweep,
        folder: SweepFolder,
        executor: Executor,
        cores: Cores,
        retries: int,
        watcher: Watcher,
    ) -> None:
        self._sweep, self._folder, self._executor = sweep, folder, executor
        self._cores, self._retries, self._watcher = cores, retries, watcher
        self._planner = Planner(sweep)
        self._active: dict[str, Active] = {}
        self._attempts: dict[str, int] = {}
        self._failed: set[str] = set()  # ids of runs
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
            self._folder.claim(self._sweep, dataclasses.asdict(self._cores), versions())
            shutil.rmtree(self._folder.path / "failed", ignore_errors=True)
            for name in ("jobs", "logs", "trials", "data"):
                (self._folder.path / name).mkdir(exist_ok=True)
            try:
                trials = check_all(self._planner)
                prepare = functools.partial(prepared, folder=self._folder.data)
                check_data(self._planner, trials, prepare)
                if self._sweep.budget.equal != "steps":
                    self._planner = Planner(self._sweep, self._equal_steps())
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
            wanted = self._wanted()
            jobs = list(self._jobs(wanted))
            for run, trial, splits in jobs:
                if run.id in self._active:
                    continue
                cores = self._cores.before if run.shared else self._cores.trial
                if not self._executor.has_room(cores):
                    break  # none overtakes: one that needs many cores would wait for ever
                self._start(run, trial, splits, cores)
            failures |= self._failures(wanted)
            waiting = {run.id for run, _, _ in jobs}
            self._watcher.update(list(self._active.values()), self._ended, self._ended + len(waiting) + self._later())
            if not self._active and not waiting:
                self._folder.write("choices.json", self._choices())
                return list(failures.values())
            time.sleep(_POLL_SECONDS)

    # What is wanted -------------------------------------------------------------------------------

    def _wanted(self) -> dict[Trial, tuple[str, ...]]:
        """Returns the trials that are wanted as far as the scores tell, with the splits that they are scored on."""
        wanted: dict[Trial, tuple[str, ...]] = {}
        tuning = self._sweep.tuning
        for name in self._planner.methods():
            rate: float | None = self._planner.learning_rates(name)[0]
            if self._tuned(name):
                assert tuning is not None
                tried, choice = self._search(name)
                for each in tried:
                    for seed in tuning.seeds:
                        wanted.update(dict.fromkeys(self._planner.trials(name, seed, each), (tuning.split,)))
                if choice is None or choice.learning_rate is None:
                    continue
                rate = choice.learning_rate
            for seed in self._sweep.seeds:
                for trial in self._planner.trials(name, seed, rate):
                    wanted[trial] = tuple(dict.fromkeys((*wanted.get(trial, ()), self._sweep.split)))
        return wanted

    def _jobs(
        self, wanted: Mapping[Trial, tuple[str, ...]]
    ) -> Iterator[tuple[PlannedRun, Trial | None, tuple[str, ...]]]:
        """Yields what may be done now, in order: each run once, when what it starts from is there."""
        seen: set[str] = set()
        for trial, splits in wanted.items():
            chain = order(self._planner.runs, [trial.run])
            if self._chain_failed(trial):
                continue
            run = next((run for run in chain[:-1] if not self._trained(run)), None)
            if run is not None:
                job = run, None, ()
            elif set(splits) <= self._scores(chain[-1]).keys():
                continue
            else:
                job = chain[-1], trial, splits
            if job[0].id not in seen:
                seen.add(job[0].id)
                yield job

    def _later(self) -> int:
        """Returns how many runs are sure to come, but cannot be named before a learning rate is chosen."""
        if self._sweep.tuning is None:
            return 0
        seeds = set(self._sweep.seeds) - set(self._sweep.tuning.seeds)
        open_methods = (name for name in self._planner.methods() if self._tuned(name) and self._search(name)[1] is None)
        return sum(len(seeds) * len(self._planner.trials(name, 0, 1.0)) if seeds else 0 for name in open_methods)

    def _tuned(self, name: str) -> bool:
        return len(self._planner.learning_rates(name)) > 1

    def _search(self, name: str) -> tuple[list[float], Choice | None]:
        assert self._sweep.tuning is not None
        grid = [rate for rate in self._planner.learning_rates(name) if rate is not None]
        return search(grid, functools.partial(self._tuning_score, name), self._sweep.tuning.extensions)

    def _tuning_score(self, name: str, rate: float) -> float | None:
        """Returns the mean over tasks and tuning seeds; None while it is not known, minus infinity if a run failed."""
        tuning = self._sweep.tuning
        assert tuning is not None
        values: list[float] = []
        for seed in tuning.seeds:
            of_tasks: list[float] = []
            for trial in self._planner.trials(name, seed, rate):
                if self._chain_failed(trial):
                    return -math.inf
                scores = self._scores(self._planner.runs[trial.run]).get(tuning.split)
                if scores is None:
                    return None
                of_tasks += scores.values()
            values.append(statistics.fmean(of_tasks))
        return statistics.fmean(values)

    def _choices(self) -> dict[str, Any]:
        found = {name: self._search(name)[1] for name in self._planner.methods() if self._tuned(name)}
        return {
            name: {
                "learning_rate": choice.learning_rate,
                "scores": {str(rate): None if score == -math.inf else score for rate, score in choice.scores.items()},
                "extended": list(choice.extended),
                "at_edge": choice.at_edge,
            }
            for name, choice in found.items()
            if choice is not None
        }

    # What is done ---------------------------------------------------------------------------------

    def _trained(self, run: PlannedRun) -> bool:
        return (self._folder.runs / run.folder / "result.json").exists()

    def _scores(self, run: PlannedRun) -> dict[str, dict[str, float]]:
        """Returns the metric of each task that is reported, by split, as far as the run is scored."""
        path = self._folder.trial(run.folder)
        if not path.exists():
            return {}
        return {
            split: {task: reported(found, self._sweep.metrics.get(task)) for task, found in tasks.items()}
            for split, tasks in _scores_in(path, path.stat().st_mtime_ns).items()
        }

    def _chain_failed(self, trial: Trial) -> bool:
        return any(run.id in self._failed for run in order(self._planner.runs, [trial.run]))

    # Processes ------------------------------------------------------------------------------------

    def _start(self, run: PlannedRun, trial: Trial | None, splits: tuple[str, ...], cores: int) -> None:
        self._job(run, trial, splits, cores).save(self._folder.job(run.folder))
        handle = self._executor.submit(
            run.folder, self._command(run), self._folder.log(run.folder).absolute(), cores
        )
        self._attempts[run.id] = self._attempts.get(run.id, 0) + 1
        self._active[run.id] = Active(run, trial, handle, time.monotonic())

    def _job(self, run: PlannedRun, trial: Trial | None, splits: tuple[str, ...], cores: int) -> Job:
        folder, parents = self._folder.path.absolute(), order(self._planner.runs, [run.id])[:-1]
        experiment = placed(run, folder / "runs", self._planner.runs)
        about = {
            "sweep": self._sweep.name,
            "run": {
                "id": run.id,
                "folder": f"runs/{run.folder}",
                "parents": [f"runs/{parent.folder}" for parent in parents],
            },
            "settings": list(run.overrides),
        }
        if trial is not None:
            named = {name: getattr(trial, name) for name in ("method", "seed", "learning_rate", "task")}
            about = {"sweep": self._sweep.name, **named, **about}
        return Job(
            experiment=experiment.to_json(),
            splits=splits,
            data_splits=data_splits(self._sweep),
            tasks=self._sweep.tasks if trial is None or trial.task is None else (trial.task,),
            checkpoint=self._sweep.checkpoint,
            about=about,
            trial=None if trial is None else str(self._folder.trial(run.folder).absolute()),
            data=str(folder / "data"),
            cores=cores,
            cache=str(Path(experiment.store_dir).parent / "compiled"),
        )

    def _command(self, run: PlannedRun) -> list[str]:
        return [sys.executable, "-m", "t5mix.sweep.job", str(self._folder.job(run.folder).absolute())]

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
                self._watcher.say(f"{name}: {'trained' if active.trial is None else 'scored'} in {seconds:,.0f} s")
            elif status != LASTING and self._attempts[identity] <= self._retries:
                self._watcher.say(f"{name}: ended with status {status}; trying again. Its log: {self._log(active.run)}")
            else:
                self._failed.add(identity)
                self._fail(active, status)

    def _left_its_result(self, active: Active) -> bool:
        return self._trained(active.run) if active.trial is None else bool(self._scores(active.run))

    def _log(self, run: PlannedRun) -> Path:
        return self._folder.log(run.folder)

    def _fail(self, active: Active, status: int) -> None:
        log = self._log(active.run)
        text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        why = text[-_LOG_TAIL:].strip() or "it said nothing"
        self._watcher.say(f"{active.run.folder} failed with status {status}: {why.splitlines()[-1]}\n  Its log: {log}")
        self._folder.write(f"failed/{active.run.folder}.json", self._failure(active.run, status, why))

    def _failure(self, run: PlannedRun, status: int, why: str) -> dict[str, Any]:
        command = shlex.join(["env", f"PYTHONPATH={import_path()}", *self._command(run)])
        log = str(self._log(run).relative_to(self._folder.path))
        return {"run": {"id": run.id, "folder": f"runs/{run.folder}"}, "status": status, "why": why, "log": log} | {
            "command": command
        }

    def _failures(self, wanted: Mapping[Trial, tuple[str, ...]]) -> dict[str, dict[str, Any]]:
        """Returns the trials that cannot be had, each with what went wrong, and writes them down."""
        found = {}
        for trial in wanted:
            run = next((run for run in order(self._planner.runs, [trial.run]) if run.id in self._failed), None)
            if run is None:
                continue
            cause = self._folder.read(f"failed/{run.folder}.json")
            named = {name: getattr(trial, name) for name in ("method", "seed", "learning_rate", "task")}
            found[trial.run] = named | {key: cause[key] for key in ("run", "status", "why", "log", "command")}
            name = self._planner.runs[trial.run].folder
            if self._folder.read(f"failed/{name}.json") != found[trial.run]:
                self._folder.write(f"failed/{name}.json", found[trial.run])
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
        steps = equal_steps(configured, {name: known[name]["per_step"] for name in configured}, of or next(iter(configured)))
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
        self._active[name] = Active(run, None, handle, time.monotonic())
        while (status := handle.poll()) is None:
            time.sleep(_POLL_SECONDS)
        del self._active[name]
        if status != 0:
            raise T5MixError(f"budget: {run.name} could not be measured: {log.read_text('utf-8')[-_LOG_TAIL:].strip()}")
        return json.loads(out.read_text(encoding="utf-8"))


@functools.lru_cache(maxsize=None)
def _scores_in(trial: Path, changed: int) -> dict[str, dict[str, TaskEvaluation]]:
    """Returns the scores of a trial by split and task."""
    document = json.loads(trial.read_text(encoding="utf-8"))
    return {
        split: {task: TaskEvaluation.from_json(found) for task, found in tasks.items()}
        for split, tasks in document["scores"].items()
    }


def reported(found: TaskEvaluation, chosen: str | None) -> float:
    """Returns the metric that is reported for a task: the chosen one, or its headline.

    Raises:
        T5MixError: there is no such metric.
    """
    name = chosen or found.headline
    if name not in found.metrics:
        raise T5MixError(f"There is no metric {name!r}; there are {', '.join(found.metrics)}.")
    return found.metrics[name]


def manifest(planner: Planner) -> dict[str, Any]:
    """Returns the runs that are known beforehand, as plain data."""
    return {
        "sweep": plain(planner.sweep),
        "runs": [
            {
                "name": run.name,
                "folder": f"runs/{run.folder}",
                "config": run.config,
                "settings": list(run.overrides),
                "starts_from": None if run.parent is None else f"runs/{planner.runs[run.parent].folder}",
                "steps": run.steps,
            }
            for run in planner.runs.values()
        ],
    }
