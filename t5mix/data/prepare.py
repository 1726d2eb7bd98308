"""Prepares a run's data: from a request to a lock. The only way from training to seqio, and a process of its own.

python -m t5mix.data.prepare --request request.json --out lock.json
python -m t5mix.data.prepare --request request.json --out epoch.json --task c4 --epoch 3
"""

import argparse
import dataclasses
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from t5mix.data import registry
from t5mix.data.declared import DeclaredTask, declared_task
from t5mix.data.declared_tasks import register
from t5mix.data.lock import DataLock, DataRequest, TaskEntry, VocabularyEntry, epoch_path, write_json
from t5mix.data.materialize import (
    TRAIN,
    Materialized,
    PreprocessingError,
    Recipe,
    find,
    make_epoch,
    materialize,
)
from t5mix.data.objectives import check_sentinels
from t5mix.data.tensorflow_setup import seqio
from t5mix.data.vocabulary import common_vocabulary, load_vocabulary, with_vocabulary
from t5mix.errors import T5MixError, UnknownNameError

_GRACE_SECONDS = 10.0  # to remove what is half-written, before the process ends by force


@dataclasses.dataclass(frozen=True)
class RunTasks:
    """The tasks of a request.

    Attributes:
        tasks: each once, with the vocabulary in force.
        vocabulary: that vocabulary.
        declared: those of them that are declared in configuration.
    """

    tasks: tuple[seqio.Task, ...]
    vocabulary: VocabularyEntry
    declared: dict[str, DeclaredTask]

    def task(self, name: str) -> seqio.Task:
        """Returns one of the tasks.

        Raises:
            UnknownNameError: the request does not reach it.
        """
        for task in self.tasks:
            if task.name == name:
                return task
        raise UnknownNameError("task of the run", name, [task.name for task in self.tasks])


def load_tasks(request: DataRequest) -> RunTasks:
    """Finds the tasks of a request and settles their vocabulary; reads no data.

    Raises:
        T5MixError: a name, a plugin, a declaration or the vocabulary is wrong.
    """
    if not request.mixture:
        raise T5MixError("The request names no task or mixture.")
    registry.load(request.plugins)
    declared = {name: declared_task(name, raw) for name, raw in request.declared.items()}
    override = load_vocabulary(request.vocabulary, request.extra_ids) if request.vocabulary else None
    known = {*registry.names(), *declared}
    for name in request.mixture:
        if name not in known:
            raise UnknownNameError("task or mixture", name, known, registry.HINT)
    own = registry.resolve(name for name in request.mixture if name not in declared)
    if declared:
        vocabulary = override
        if vocabulary is None and own:
            common_vocabulary(own)
            vocabulary = own[0].output_features["targets"].vocabulary
        if vocabulary is None:
            raise T5MixError(
                f"The tasks {', '.join(declared)} are declared in configuration and bring no vocabulary. "
                "Set vocabulary to the path of a SentencePiece model, or to bytes."
            )
        for name, task in declared.items():
            register(name, task, vocabulary)
    tasks = registry.resolve(request.mixture)
    if override is not None:
        tasks = [with_vocabulary(task, override) for task in tasks]
    names = {task.name for task in tasks}
    used = {name: task for name, task in declared.items() if name in names}
    return RunTasks(tuple(tasks), common_vocabulary(tasks), used)


def prepare(request: DataRequest, *, quiet: bool = False) -> DataLock:
    """Makes every token store that a request needs, and says where they are.

    Stores that are there already are used as they are. All that can be checked beforehand is checked before
    the first store is written.

    Raises:
        T5MixError: something about the request, the tasks or their files is wrong.
        DamagedStoreError: a store that is needed is not whole.
    """
    run = load_tasks(request)
    if request.start_vocabulary not in (None, run.vocabulary.identity):
        raise T5MixError(
            f"start_from was trained with another vocabulary: {request.start_vocabulary}. The data has "
            f"{run.vocabulary.path or run.vocabulary.kind}: {run.vocabulary.identity}. Set vocabulary to the "
            "checkpoint's, or start from another checkpoint."
        )
    _check_named(request.named_tasks, [task.name for task in run.tasks])
    store_dir = Path(request.store_dir).expanduser().resolve()
    recipes = {task.name: _recipes(request, task) for task in run.tasks}
    for task in run.tasks:
        check_sentinels(task, recipes[task.name][0].lengths)
    for name, declared in run.declared.items():
        if any(find(recipe, store_dir, request.seed) is None for recipe in recipes[name]):
            declared.check()
    entries = []
    for task in run.tasks:
        made = {
            recipe.split: materialize(recipe, store_dir, request.seed, quiet=quiet) for recipe in recipes[task.name]
        }
        entries.append(_task_entry(task, made))
    return DataLock(request, run.vocabulary, tuple(entries))


def prepare_epoch(request: DataRequest, task: str, epoch: int, *, quiet: bool = False) -> Path:
    """Makes the store of one epoch of a random task and returns its folder.

    Raises:
        T5MixError: see `prepare`.
    """
    chosen = load_tasks(request).task(task)
    recipe = Recipe(chosen, TRAIN, request.inputs_length, request.targets_length)
    store_dir = Path(request.store_dir).expanduser().resolve()
    make_epoch(recipe, store_dir, request.seed, epoch, quiet=quiet)
    return epoch_path(recipe.folder(store_dir, request.seed)[0], epoch)


def _check_named(named: Sequence[str], tasks: Sequence[str]) -> None:
    for name in named:
        if name not in tasks:
            raise UnknownNameError("task of the mixture", name, tasks, "The settings of mixing name it.")
    missing = [name for name in tasks if named and name not in named]
    if missing:
        raise T5MixError(
            f"The settings of mixing name {', '.join(named)} and say nothing of {', '.join(missing)}, also in the "
            "mixture: give every task a value, or leave those tasks out."
        )


def _recipes(request: DataRequest, task: seqio.Task) -> list[Recipe]:
    splits = list(task.splits)
    first = request.splits[0]
    if first not in splits:
        raise T5MixError(f"Task {task.name!r} has no split {first!r}; it has {', '.join(splits)}.")
    return [
        Recipe(task, split, request.inputs_length, request.targets_length)
        for split in request.splits
        if split in splits
    ]


def _task_entry(task: seqio.Task, made: dict[str, Materialized]) -> TaskEntry:
    return TaskEntry(
        name=task.name,
        random=TRAIN in made and made[TRAIN].random,
        splits={split: each.entry for split, each in made.items()},
        metrics=metric_names(task),
        likelihoods=needs_likelihoods(task),
    )


def metric_names(task: seqio.Task) -> tuple[str, ...]:
    """Returns the names of a task's metric functions and objects."""
    functions = [seqio.utils.function_name(function) for function in task.metric_fns]
    objects = [type(each).__name__ for each in task._metric_objs_constructor_args]
    return tuple(functions + objects)


def needs_likelihoods(task: seqio.Task) -> bool:
    """Whether a metric of a task scores the targets' likelihoods."""
    kinds = {seqio.metrics.ModelOutputType(metric.model_output_type) for metric in task.metric_objs}
    return seqio.metrics.ModelOutputType.SCORE in kinds


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs as a child process: writes the result, or {"error": text}, to the file that --out names."""
    parser = argparse.ArgumentParser(prog="python -m t5mix.data.prepare")
    parser.add_argument("--request", type=Path, required=True, help="a DataRequest as JSON")
    parser.add_argument("--out", type=Path, required=True, help="where the DataLock, path or error goes")
    parser.add_argument("--task", help="make one epoch of this random task")
    parser.add_argument("--epoch", type=int, default=0)
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.add_argument("--nice", type=int, default=0, help="lower the priority by this much")
    parser.add_argument("--end-with-parent", action="store_true", help="end when the standard input is closed")
    options = parser.parse_args(arguments)
    if options.nice:
        os.nice(options.nice)
    if options.end_with_parent:
        _end_with_parent()
    logging.basicConfig(
        level=logging.ERROR if options.quiet else logging.WARNING, format="%(message)s", stream=sys.stderr
    )
    try:
        request = DataRequest.from_json(options.request.read_text(encoding="utf-8"))
        if options.task:
            path = prepare_epoch(request, options.task, options.epoch, quiet=options.quiet)
            write_json(options.out, {"path": str(path)})
        else:
            prepare(request, quiet=options.quiet).save(options.out)
    except T5MixError as error:
        if isinstance(error, PreprocessingError):
            traceback.print_exception(error.__cause__)
        write_json(options.out, {"error": str(error)})
        return 2
    return 0


def _end_with_parent() -> None:
    """Ends this process, half-written stores removed, when the parent ends, however it ends."""

    def ended(*_: object) -> None:
        raise SystemExit(143)

    def watch() -> None:
        while os.read(0, 1):  # not sys.stdin, whose lock a thread must not hold when Python ends
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_GRACE_SECONDS)
        os._exit(143)  # something native does not come back to Python

    signal.signal(signal.SIGTERM, ended)
    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
