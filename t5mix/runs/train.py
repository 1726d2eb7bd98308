"""Training an experiment, from configuration to result."""

import contextlib
import dataclasses
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from t5mix.checkpoint.reader import Base, base_of, identity_of, read_run_state, saved_shapes
from t5mix.config.experiment import Experiment, policy_from_dict, policy_to_dict
from t5mix.data.manifest import DataManifest, DataRequest, VocabularyEntry
from t5mix.data.prepare_client import ShardCache, prepare_in_subprocess
from t5mix.distributed.processes import all_gather, join, processes_that_differ, run_on_main_process
from t5mix.distributed.shared_shards import shared
from t5mix.errors import T5MixError
from t5mix.finetuning.base import FineTuningPolicy, RunShape, for_tasks, prompt_length_of
from t5mix.finetuning.per_task import bank_of
from t5mix.mixing.base import named_tasks
from t5mix.model.config import T5Config
from t5mix.model.t5 import abstract_model
from t5mix.runs.doremi import reference_model, save_weights
from t5mix.tracking.metrics_file import read_metrics, values_of
from t5mix.tracking.provenance import hardware, versions
from t5mix.tracking.run_directory import RunDirectory, find_checkpoint, has_checkpoint
from t5mix.training.engine import Engine
from t5mix.training.phases import divide_into_phases
from t5mix.training.trainer import Outcome, TrainingJob, train


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
    directory, plain = RunDirectory(Path(experiment.run_dir)), experiment.to_json()
    _check_same(plain)
    run_on_main_process(lambda: directory.check(plain))
    experiment.mesh.build(experiment.training.batch_size // experiment.training.gradient_accumulation_steps)
    check_policy(experiment)
    continued = has_checkpoint(directory.path)  # then it has its own
    start_from = None if continued else starting_checkpoint(experiment)
    request = dataclasses.replace(experiment.data_request(splits), named_tasks=named_tasks(experiment.mixing))
    if start_from is not None:
        request = dataclasses.replace(request, start_vocabulary=vocabulary_of(start_from))
    reference = reference_model(experiment.mixing)
    manifest = DataManifest.from_json(
        run_on_main_process(lambda: _manifest(request, directory, prepare or prepare_in_subprocess).to_json())
    )
    _check_shared(manifest)
    if reference is not None:
        reference.check_vocabulary(manifest.vocabulary)
    model = experiment.model_for(manifest.vocabulary)
    policy = _policy(experiment, manifest, directory, start_from)
    engine = Engine(
        model,
        policy,
        experiment.optimizer,
        experiment.schedule,
        experiment.training,
        experiment.mesh,
        len(manifest.tasks),
        experiment.seed,
    )
    base, from_base = _base(directory, start_from, engine)
    run_on_main_process(lambda: directory.claim(plain, versions(), manifest))
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
            checkpoint_metadata={
                "model": dataclasses.asdict(model),
                "finetuning": policy_to_dict(policy),
                "frozen_dtype": experiment.training.frozen_dtype,
                "vocabulary": dataclasses.asdict(manifest.vocabulary),
            },
            prompt_length=prompt_length_of(policy),
            base=base,
            from_base=from_base,
            reference=reference,
        )
        outcome = train(job)
    if outcome.finished:
        run_on_main_process(lambda: _conclude(directory, job))
    return outcome


def starting_checkpoint(experiment: Experiment) -> Path | None:
    """Returns the checkpoint that an experiment starts from, None for fresh parameters.

    Raises:
        T5MixError: there is none where it says, or one of another shape or policy.
    """
    if experiment.start_from is None:
        return None
    checkpoint = find_checkpoint(Path(experiment.start_from).expanduser())
    _check_start(checkpoint, experiment)
    return checkpoint


def vocabulary_of(checkpoint: Path) -> str:
    """Returns the identity of the vocabulary that a checkpoint was trained with."""
    return VocabularyEntry(**read_run_state(checkpoint)["vocabulary"]).identity


def check_policy(experiment: Experiment) -> None:
    """Refuses a policy that does not fit the model or the run, before any data is prepared.

    Raises:
        T5MixError: it does not.
    """
    model = dataclasses.replace(experiment.model, vocab_size=experiment.model.vocab_size or 1)  # no path depends on it
    policy = for_tasks(experiment.finetuning, _tasks(experiment))
    divide_into_phases(abstract_model(model, policy.adapt)[1], policy, RunShape(experiment.training.steps, model))


def _tasks(experiment: Experiment) -> tuple[str, ...]:
    """Returns the tasks of a bank as configured, or some task's name: enough to know the model's modules."""
    bank = bank_of(experiment.finetuning)
    return bank.tasks if bank and bank.tasks else ("any",)


def _policy(
    experiment: Experiment, manifest: DataManifest, directory: RunDirectory, start_from: Path | None
) -> FineTuningPolicy:
    """Returns the experiment's policy for the run's tasks: as its checkpoints have it, if there are any."""
    if has_checkpoint(directory.path):
        return policy_from_dict(read_run_state(find_checkpoint(directory.path))["finetuning"])
    before = None if start_from is None else policy_from_dict(read_run_state(start_from)["finetuning"])
    return for_tasks(experiment.finetuning, [task.name for task in manifest.tasks], before)


def _base(directory: RunDirectory, start_from: Path | None, engine: Engine) -> tuple[Base | None, frozenset[str]]:
    """Returns the checkpoint that the run's own build on, and the parameters that they leave out because it has them.

    A run that starts from another's parameters and leaves some as they are keeps the others alone.
    """
    if has_checkpoint(directory.path):
        latest = find_checkpoint(directory.path)
        return base_of(latest), frozenset(engine.params.keys() - saved_shapes(latest).keys())
    if start_from is None or not engine.phases.frozen:
        return None, frozenset()
    base = base_of(start_from)
    changed = saved_shapes(start_from).keys() if base else set()
    base = base or Base(start_from.absolute(), identity_of(start_from))
    return base, frozenset(engine.phases.frozen) & saved_shapes(base.path).keys() - changed


def _check_same(plain: dict[str, Any]) -> None:
    """Refuses processes of one run that were told different things."""
    if others := processes_that_differ({key: value for key, value in plain.items() if key != "distributed"}):
        raise T5MixError(
            f"The processes {others} were started with other settings than process 0. Start all with the same command; "
            "only distributed.process differs."
        )


def _check_shared(manifest: DataManifest) -> None:
    """Refuses processes that do not see the stores that process 0 has."""
    blind = [process for process, sees in enumerate(all_gather(manifest.stores_exist())) if not sees]
    if blind:
        raise T5MixError(
            f"The processes {blind} do not see the token stores in {manifest.request.store_dir}. store_dir and run_dir "
            "must be on a file system that all processes share."
        )


def _conclude(directory: RunDirectory, job: TrainingJob) -> None:
    """Writes what came out, once."""
    if directory.result() is None:
        directory.save_result(_result(directory, job))
        save_weights(directory, job.strategy)


def _manifest(
    request: DataRequest, directory: RunDirectory, prepare: Callable[[DataRequest], DataManifest]
) -> DataManifest:
    """Returns the run's data: as locked, if it was locked and is still there, else prepared."""
    recorded = directory.manifest()
    if recorded is not None and recorded.stores_exist():
        return recorded
    manifest = prepare(request)
    if recorded is not None:
        before = {(t.name, split): entry.fingerprint for t in recorded.tasks for split, entry in t.splits.items()}
        now = {(t.name, split): entry.fingerprint for t in manifest.tasks for split, entry in t.splits.items()}
        changed = sorted(f"{task} ({split})" for task, split in before if before[task, split] != now.get((task, split)))
        if changed:
            raise T5MixError(
                f"The data of {directory.path} has changed since the run began: {', '.join(changed)}. "
                "Put the old files or task definitions back, or start a new run with another run_dir."
            )
    return manifest


def _check_start(checkpoint: Path, experiment: Experiment) -> None:
    """Refuses a starting checkpoint of another shape or another policy, before any data is prepared."""
    run_state, model = read_run_state(checkpoint), experiment.model
    there = T5Config(**run_state["model"])
    shape = ("d_model", "d_ff", "d_kv", "num_heads", "num_layers", "num_decoder_layers", "activation", "tie_embeddings")
    differing = [
        f"model.{name} is {getattr(there, name)} there and {getattr(model, name)} here"
        for name in shape
        if getattr(there, name) != getattr(model, name)
    ]
    if differing:
        raise T5MixError(f"start_from: {checkpoint} holds another model: {'; '.join(differing)}.")
    before = policy_from_dict(run_state["finetuning"])
    policy = for_tasks(experiment.finetuning, _tasks(experiment), before)
    added, here = (abstract_model(there, each.adapt)[1].keys() for each in (before, policy))
    lost = sorted(path for path in added - here if path not in abstract_model(there)[1])
    if lost:
        raise T5MixError(
            f"start_from: {checkpoint} holds what its policy {run_state['finetuning']['kind']!r} added, such as "
            f"{lost[0]}, "
            f"for which finetuning={policy_to_dict(policy)['kind']} has no place. Start from the same policy, or merge "
            "it into a plain model first (t5mix delta merge)."
        )


def _result(directory: RunDirectory, job: TrainingJob) -> dict[str, Any]:
    lines = read_metrics(directory.metrics)
    run_state = read_run_state(find_checkpoint(directory.path))
    total = run_state["metrics"]["total"]
    examples, expected = total["examples"], total["expected_examples"]
    sizes = {task.name: task.splits["train"].counts.examples for task in job.manifest.tasks}
    return {
        "steps": job.config.steps,
        "seconds": sum(values_of(lines.train, "seconds")),
        "parameters": {"total": job.engine.num_parameters, "trained": job.engine.num_trained},
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT,
        "mixture": {
            name: {
                "size": size,
                "proportion": examples[i] / sum(examples),
                "examples": int(examples[i]),
                "expected_examples": expected[i],
                "epochs": examples[i] / size,
                "tokens": int(total["input_tokens"][i] + total["target_tokens"][i]),
                "loss_tokens": int(total["loss_tokens"][i]),
            }
            for i, (name, size) in enumerate(sizes.items())
        },
        "validation": lines.evaluation[-1]["tasks"] if lines.evaluation else {},
        "best": run_state["best"],
        "versions": versions(),
        "hardware": hardware(),
    }


_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes there, kibibytes elsewhere
