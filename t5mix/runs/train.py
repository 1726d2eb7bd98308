"""Training an experiment: settings, then data, policy, engine, trainer, result."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path

from t5mix.cache.request_checks import check_request
from t5mix.checkpoint.reader import read_run_state
from t5mix.config.experiment import Experiment
from t5mix.console.stage import stage
from t5mix.data.manifest import DataManifest, DataRequest
from t5mix.data.prepare_client import ShardCache, end_early, prepare_in_subprocess
from t5mix.distributed.processes import all_gather, is_main_process, join, processes_that_differ, run_on_main_process
from t5mix.distributed.shared_shards import shared
from t5mix.errors import T5MixError
from t5mix.files import check_writable, write_json
from t5mix.mixing.base import WEIGHTS_FILE
from t5mix.runs.build_engine import checkpoint_metadata, training_phases
from t5mix.runs.engine_ahead import EngineAhead
from t5mix.runs.evaluation_data import check_moved
from t5mix.runs.load import CheckpointMetadata
from t5mix.runs.reference_model import reference_model
from t5mix.runs.result import run_result
from t5mix.runs.start import base_of_run, starting_checkpoint, vocabulary_of
from t5mix.tracking.provenance import versions
from t5mix.tracking.run_directory import RunDirectory, find_checkpoint, has_checkpoint
from t5mix.training.job import Outcome, TrainingJob
from t5mix.training.trainer import train


def train_experiment(
    experiment: Experiment,
    *,
    splits: tuple[str, ...] = ("train", "validation"),
    prepare: Callable[[DataRequest], DataManifest] | None = None,
) -> Outcome:
    """Trains an experiment, or continues it where its folder says it stopped; with the other processes, if it has more.

    Args:
        experiment: the experiment.
        splits: the splits to prepare; training itself needs these two.
        prepare: prepares the data, in place of a child process.

    Raises:
        T5MixError: anything that is wrong with the experiment, before any work; a damaged file; a full disk.
    """
    join(experiment.distributed)
    directory = RunDirectory(Path(experiment.run_dir))
    with stage("Checking the settings" if is_main_process() else None):
        _check_settings(experiment, directory)
    with contextlib.ExitStack() as held:
        run_on_main_process(lambda: held.enter_context(directory.locked()))
        return _train(experiment, directory, splits, prepare)


def _train(
    experiment: Experiment,
    directory: RunDirectory,
    splits: tuple[str, ...],
    prepare: Callable[[DataRequest], DataManifest] | None,
) -> Outcome:
    continued = has_checkpoint(directory.path)
    start_from = None if continued else starting_checkpoint(experiment)
    reference = reference_model(experiment.mixing.reference_run)
    latest = find_checkpoint(directory.path) if continued else start_from
    engines = EngineAhead(experiment, None if latest is None else CheckpointMetadata.read(latest), start_from)
    prepare = prepare or functools.partial(prepare_in_subprocess, meanwhile=engines.build_ahead)
    manifest = _data(experiment, directory, splits, start_from, prepare)
    end_early()
    if reference is not None:
        reference.check_vocabulary(manifest.vocabulary)
    engine = engines.build(manifest)
    base, from_base = base_of_run(directory, start_from, engine, _moved_start(experiment, directory))
    run_on_main_process(lambda: directory.claim(experiment.to_json(), versions(), manifest))
    with contextlib.closing(engine), contextlib.closing(shared(ShardCache(manifest))) as shards:
        job = TrainingJob(
            directory=directory,
            manifest=manifest,
            shards=shards,
            strategy=experiment.mixing,
            unit=experiment.mixing_unit,
            config=experiment.training,
            engine=engine,
            start_from=start_from,
            seed=experiment.seed,
            checkpoint_metadata=checkpoint_metadata(experiment, manifest, engine),
            base=base,
            from_base=from_base,
            reference=reference,
        )
        outcome = train(job)
    if outcome.finished:
        run_on_main_process(lambda: _conclude(directory, job))
    return outcome


def _moved_start(experiment: Experiment, directory: RunDirectory) -> str | None:
    """Returns what a continued run is said to have started from, if it is not what it was begun with."""
    if not has_checkpoint(directory.path) or directory.experiment()["start_from"] == experiment.start_from:
        return None
    return experiment.start_from


def _check_settings(experiment: Experiment, directory: RunDirectory) -> None:
    """Refuses what can be known to go wrong before any data is prepared."""
    settings = experiment.to_json()
    if others := processes_that_differ({key: value for key, value in settings.items() if key != "distributed"}):
        raise T5MixError(
            f"The processes {others} were started with other settings than process 0. Start all with the same command; "
            "only distributed.process differs."
        )
    run_on_main_process(lambda: directory.check(settings))
    run_on_main_process(lambda: check_writable(directory.path, "run_dir"))
    request = directory.at_hand(experiment.data_request())
    run_on_main_process(lambda: None if _is_prepared(directory) else _check_data(directory, request))
    experiment.mixing.check_steps(experiment.training.steps)
    experiment.mesh.build(experiment.training.batch_size // experiment.training.gradient_accumulation_steps)
    training_phases(experiment)  # asks the policy about every parameter


def _check_data(directory: RunDirectory, request: DataRequest) -> None:
    """Refuses data that cannot be prepared. Stores that are there may be all that the run needs, writable or not."""
    store_dir = Path(request.store_dir)
    if not store_dir.is_dir() or not any(store_dir.iterdir()):
        check_writable(store_dir, "store_dir")
    if directory.manifest() is None:
        check_request(request)
    else:
        check_moved(request)


def _data(
    experiment: Experiment,
    directory: RunDirectory,
    splits: tuple[str, ...],
    start_from: Path | None,
    prepare: Callable[[DataRequest], DataManifest],
) -> DataManifest:
    """Returns the run's data, which process 0 prepares and all see."""
    request = dataclasses.replace(
        directory.at_hand(experiment.data_request(splits)),
        named_tasks=experiment.mixing.named_tasks,
        start_vocabulary=None if start_from is None else vocabulary_of(start_from),
    )
    manifest = DataManifest.from_json(
        run_on_main_process(lambda: _recorded_or_prepared(request, directory, prepare).to_json())
    )
    blind = [process for process, sees in enumerate(all_gather(manifest.stores_exist())) if not sees]
    if blind:
        raise T5MixError(
            f"The processes {blind} do not see the token stores in {manifest.request.store_dir}. store_dir and run_dir "
            "must be on a file system that all processes share."
        )
    return manifest


def _recorded_or_prepared(
    request: DataRequest, directory: RunDirectory, prepare: Callable[[DataRequest], DataManifest]
) -> DataManifest:
    """Returns the data that the run's folder records, if its stores still exist, else prepares it."""
    recorded = directory.manifest()
    if recorded is not None and recorded.stores_exist():
        at_hand = directory.at_hand(recorded.request)
        if (at_hand.declared, at_hand.vocabulary) == (request.declared, request.vocabulary):
            return dataclasses.replace(recorded, request=at_hand)  # more may be made of the files, epoch by epoch
    manifest = prepare(request)
    if recorded is not None:
        before, now = _fingerprints(recorded), _fingerprints(manifest)
        changed = sorted(f"{task} ({split})" for task, split in before if before[task, split] != now.get((task, split)))
        if changed:
            raise T5MixError(
                f"The data of {directory.path} has changed since the run began: {', '.join(changed)}. "
                "Put the old files or task definitions back, or start a new run with another run_dir."
            )
    return manifest


def _is_prepared(directory: RunDirectory) -> bool:
    """Whether the data that the run's folder records are still there."""
    recorded = directory.manifest()
    return recorded is not None and recorded.stores_exist()


def _fingerprints(manifest: DataManifest) -> dict[tuple[str, str], str]:
    return {(task.name, split): entry.fingerprint for task in manifest.tasks for split, entry in task.splits.items()}


def _conclude(directory: RunDirectory, job: TrainingJob) -> None:
    """Writes what came out, once."""
    if directory.result() is None:
        directory.save_result(run_result(directory, job))
        state = read_run_state(find_checkpoint(directory.path))["mixing"]["strategy"]
        if (weights := job.strategy.outcome(state)) is not None:
            write_json(directory.path / WEIGHTS_FILE, {"weights": weights})
