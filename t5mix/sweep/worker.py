"""One run of a sweep in a process of its own: trains it, scores it, writes down what came out.

    python -m t5mix.sweep.worker FILE

May be ended at any moment and started again: it goes on where it was. Exits with 0 when all is done, with 2 for an
error that another try would meet again, with anything else for one that it may not.
"""

import dataclasses
import functools
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from t5mix.compiled_programs import keep_compiled_programs
from t5mix.data.manifest import DataManifest, DataRequest
from t5mix.errors import T5MixError
from t5mix.files import exclusive_lock, read_json, sha256_of_text, write_json
from t5mix.interrupts import interruptible, run_program
from t5mix.sweep.reported_metrics import has_score
from t5mix.sweep.trial import TaskScore, read_trial

PERMANENT_ERROR = 2  # the exit status of an error that another try would meet again
_WATCH_SECONDS = 0.5


@dataclasses.dataclass(frozen=True)
class RunRequest:
    """What a process is to do.

    Attributes:
        experiment: what is trained, resolved.
        splits: the splits that are scored; none for a run that others start from.
        data_splits: the splits that are prepared, the same for all jobs of a sweep.
        tasks: those that are scored; none for all that have metrics.
        checkpoint: "latest", or "best" for each task's own.
        description: what the trial's file says of the trial.
        trial: that file; None if the run is no trial.
        data: folder of the data manifests, shared by all jobs of a sweep.
        cores: threads that it computes with on a CPU.
        cache: folder of compiled programs, shared by all jobs.
    """

    experiment: Mapping[str, Any]
    splits: tuple[str, ...]
    data_splits: tuple[str, ...]
    tasks: tuple[str, ...]
    checkpoint: str
    description: Mapping[str, Any]
    trial: str | None
    data: str
    cores: int
    cache: str

    def save(self, path: Path) -> None:
        """Writes it to a file."""
        write_json(path, dataclasses.asdict(self))

    @classmethod
    def load(cls, path: Path) -> "RunRequest":
        """Reads what `save` wrote."""
        raw: dict[str, Any] = read_json(path)
        values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}
        return cls(**values)


def main() -> int:
    """Does the job that the command line names."""
    path = Path(sys.argv[1])
    job = RunRequest.load(path)
    configure_process(job)
    from t5mix.subprocesses import ProcessDiedError

    try:
        with (
            interruptible(),
            exclusive_lock(path.with_suffix(".lock")),
        ):  # a sweep that was killed may have left one behind
            return carry_out(job)
    except ProcessDiedError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the log of the job
        return 1
    except T5MixError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return PERMANENT_ERROR


def configure_process(job: RunRequest) -> None:
    """Sets what must be set before JAX is loaded, and has this process end with the one that started it."""
    os.environ["NPROC"] = str(job.cores)  # XLA's threads on a CPU; their number decides the last digits
    keep_compiled_programs(Path(job.cache), least_seconds=0.1)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()


def carry_out(job: RunRequest) -> int:
    """Trains and scores what is not yet, and returns the exit status."""
    from t5mix.config.reading import read_experiment
    from t5mix.runs.train import train_experiment
    from t5mix.tracking.run_directory import RunDirectory

    experiment = read_experiment(job.experiment)
    directory = RunDirectory(Path(experiment.run_dir))
    if directory.result() is None:
        prepare = functools.partial(prepare_once, folder=Path(job.data))
        outcome = train_experiment(experiment, splits=job.data_splits, prepare=prepare)
        if not outcome.finished:
            assert outcome.signal is not None
            return 128 + signal.Signals[outcome.signal]
    if job.trial is not None:
        _score(job, experiment, Path(job.trial))
    return 0


def _score(job: RunRequest, experiment: Any, trial: Path) -> None:
    """Scores the splits that are not scored yet, and writes the trial's file."""
    from t5mix.sweep.collect_trial import trial_result

    earlier, started = read_trial(trial) if trial.exists() else None, time.monotonic()
    scores = {} if earlier is None else earlier.scores
    missing = [split for split in job.splits if split not in scores]
    if not missing:
        return
    for split in missing:
        scores[split] = score_run(Path(experiment.run_dir), split, job.tasks, job.checkpoint)
    seconds = time.monotonic() - started + (0.0 if earlier is None else earlier.seconds.evaluation)
    trial_result(experiment, job.description, scores, seconds).write(trial)


def score_run(run: Path, split: str, tasks: tuple[str, ...], checkpoint: str) -> dict[str, TaskScore]:
    """Scores a run on one split.

    Args:
        run: its folder.
        split: the split.
        tasks: those that are scored; none for all that have metrics.
        checkpoint: "latest", or "best" for each task's own.

    Returns:
        The score of each task.
    """
    from t5mix.runs.evaluate import evaluate_run
    from t5mix.runs.load import checkpoint_of
    from t5mix.tracking.run_directory import RunDirectory

    manifest = RunDirectory(run).manifest()
    assert manifest is not None
    names = tasks or tuple(task.name for task in manifest.tasks if has_score(task.metrics) and split in task.splits)
    by_step: dict[str, list[str]] = {}
    for name in names:
        step = checkpoint_of(run, "latest" if checkpoint == "latest" else name).name
        by_step.setdefault(step, []).append(name)
    scores = {}
    for step, at_step in by_step.items():
        for name, evaluation in evaluate_run(run, which=step, split=split, tasks=at_step).items():
            scores[name] = TaskScore(evaluation.metrics, evaluation.examples, evaluation.signatures, int(step))
    return {name: scores[name] for name in names}


def prepare_once(request: DataRequest, folder: Path) -> DataManifest:
    """Prepares data, or finds it prepared for the same request by another job of the sweep."""
    from t5mix.data.prepare_client import prepare_in_subprocess

    path = folder / f"{sha256_of_text(request.to_json())[:16]}.json"
    if path.exists():
        manifest = DataManifest.load(path)
        if manifest.stores_exist():
            return manifest
    manifest = prepare_in_subprocess(request)
    manifest.save(path)
    return manifest


def _end_with_parent(parent: int) -> None:
    """Ends this process when the one that started it is gone: nobody would wait for it any more."""
    while os.getppid() == parent:
        time.sleep(_WATCH_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    run_program("t5mix.sweep.worker", main)
