"""Prepares a run's data: from a request to a manifest. The only way from training to seqio, and a process of its own.

python -m t5mix.cache.prepare_worker --out data_manifest.json   # prepares what a line of its standard input requests
python -m t5mix.cache.prepare_worker --serve       # makes one shard after the other, as its standard input asks

The first takes a DataRequest as JSON, and may be started before there is one, as loading TensorFlow takes longest. The
second takes {"request": text of a DataRequest, "task": "c4", "shard": 3}, and answers on the standard output with
{"path": folder} or {"error": text}.
"""

import argparse
import contextlib
import dataclasses
import json
import logging
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path

from t5mix.cache import task_registry
from t5mix.cache.materialize import (
    TRAIN,
    CachedSplit,
    PreprocessingError,
    SplitSpec,
    find_cached,
    make_shard,
    materialize,
)
from t5mix.cache.request_checks import check_request
from t5mix.cache.seqio_tasks import register
from t5mix.cache.source_shards import count_shards, extrapolated
from t5mix.cache.vocabulary import common_vocabulary, load_vocabulary, with_vocabulary
from t5mix.child_process import ENDED
from t5mix.data.manifest import DataManifest, DataRequest, TaskEntry, VocabularyEntry, shard_path
from t5mix.data.token_store import MissingStoreError
from t5mix.errors import T5MixError, UnknownNameError
from t5mix.files import write_json
from t5mix.preprocessors.objectives import check_sentinels
from t5mix.sources.declaration import TaskDeclaration
from t5mix.tensorflow_setup import seqio

_IDLE_SECONDS = 300.0  # TensorFlow takes about a gigabyte: not to be held for an epoch that may last hours


@dataclasses.dataclass(frozen=True)
class RunTasks:
    """The tasks of a request.

    Attributes:
        tasks: each once, with the vocabulary in force.
        vocabulary: that vocabulary.
        declarations: those of them that are declared in configuration.
    """

    tasks: tuple[seqio.Task, ...]
    vocabulary: VocabularyEntry
    declarations: dict[str, TaskDeclaration]

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
    task_registry.load(request.plugins)
    declarations = check_request(request)
    override = load_vocabulary(request.vocabulary, request.extra_ids) if request.vocabulary else None
    allowed = {*task_registry.names(), *declarations}
    for name in request.mixture:
        if name not in allowed:
            raise UnknownNameError("task or mixture", name, allowed, task_registry.HINT)
    registered = task_registry.resolve(name for name in request.mixture if name not in declarations)
    if declarations:
        vocabulary = override
        if vocabulary is None:
            common_vocabulary(registered)
            vocabulary = registered[0].output_features["targets"].vocabulary
        for name, declaration in declarations.items():
            register(name, declaration, vocabulary)
    tasks = task_registry.resolve(request.mixture)
    if override is not None:
        tasks = [with_vocabulary(task, override) for task in tasks]
    names = {task.name for task in tasks}
    used = {name: declaration for name, declaration in declarations.items() if name in names}
    return RunTasks(tuple(tasks), common_vocabulary(tasks), used)


def prepare(request: DataRequest, *, quiet: bool = False) -> DataManifest:
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
    _check_streamed(request, run)
    store_dir = Path(request.store_dir).expanduser().resolve()
    specs = {task.name: _split_specs(request, task) for task in run.tasks}
    for task in run.tasks:
        check_sentinels(task, specs[task.name][0].lengths)
    for name, declaration in run.declarations.items():
        absent = [spec for spec in specs[name] if find_cached(spec, store_dir, request.seed) is None]
        if absent:  # a streamed split is too large to be read for this; its shards are checked as they are made
            declaration.check([split for split in declaration.files if split != TRAIN or name not in request.streamed])
    entries = []
    for task in run.tasks:
        cached = [(spec, materialize(spec, store_dir, request.seed, quiet=quiet)) for spec in specs[task.name]]
        entries.append(_task_entry(request, task, cached))
    return DataManifest(request, run.vocabulary, tuple(entries))


def prepare_shard(request: DataRequest, task: str, shard: int, *, quiet: bool = False) -> Path:
    """Makes the store of one shard of a random or streamed task and returns its folder.

    Raises:
        T5MixError: see `prepare`.
    """
    spec = split_spec_of(request, load_tasks(request).task(task), TRAIN)
    store_dir = Path(request.store_dir).expanduser().resolve()
    with contextlib.suppress(MissingStoreError):  # another run has just discarded it: who waits for it asks again
        make_shard(spec, store_dir, request.seed, shard, quiet=quiet)
    return shard_path(spec.folder(store_dir, request.seed)[0], shard, spec.source_shards)


def _check_streamed(request: DataRequest, run: RunTasks) -> None:
    allowed = {*seqio.TaskRegistry.names(), *(task.name for task in run.tasks)}
    for name in request.streamed:
        if name not in allowed:
            raise UnknownNameError("task", name, allowed, "streamed lists tasks, not mixtures.")


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


def _split_specs(request: DataRequest, task: seqio.Task) -> list[SplitSpec]:
    splits = list(task.splits)
    first = request.splits[0]
    if first not in splits:
        raise T5MixError(f"Task {task.name!r} has no split {first!r}; it has {', '.join(splits)}.")
    return [split_spec_of(request, task, split) for split in request.splits if split in splits]


def split_spec_of(request: DataRequest, task: seqio.Task, split: str) -> SplitSpec:
    """Returns the spec of one split of a task, as a request asks for it."""
    source_shards = count_shards(task, split) if split == TRAIN and task.name in request.streamed else 1
    return SplitSpec(task, split, request.inputs_length, request.targets_length, source_shards)


def _task_entry(request: DataRequest, task: seqio.Task, cached: list[tuple[SplitSpec, CachedSplit]]) -> TaskEntry:
    splits = {spec.split: split.entry for spec, split in cached}
    for spec, split in cached:
        if spec.is_streamed:
            examples = request.streamed[task.name]
            splits[spec.split] = extrapolated(split.entry, spec, request.seed, examples)
    return TaskEntry(
        name=task.name,
        random=any(split.random for _, split in cached),
        splits=splits,
        metrics=metric_names(task),
        likelihoods=needs_likelihoods(task),
        shards_per_epoch=max(spec.source_shards for spec, _ in cached),
        all_splits=tuple(task.splits),
    )


def metric_names(task: seqio.Task) -> tuple[str, ...]:
    """Returns the names of a task's metric functions and objects."""
    functions = [seqio.utils.function_name(function) for function in task.metric_fns]
    objects = [type(metric).__name__ for metric in task._metric_objs_constructor_args]
    return tuple(functions + objects)


def needs_likelihoods(task: seqio.Task) -> bool:
    """Whether a metric of a task scores the targets' likelihoods."""
    kinds = {seqio.metrics.ModelOutputType(metric.model_output_type) for metric in task.metric_objs}
    return seqio.metrics.ModelOutputType.SCORE in kinds


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs as a child process: writes the result, or {"error": text}, to the file that --out names."""
    parser = argparse.ArgumentParser(prog="python -m t5mix.cache.prepare_worker")
    parser.add_argument("--out", type=Path, help="where the DataManifest or error goes")
    parser.add_argument("--begun", type=Path, help="a file to make once TensorFlow is loaded and the request read")
    parser.add_argument("--serve", action="store_true", help="make shards as the standard input asks for them")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.add_argument("--nice", type=int, default=0, help="lower the priority by this much")
    options = parser.parse_args(arguments)
    if options.nice:
        os.nice(options.nice)
    if not options.serve and not options.out:
        parser.error("--out is needed, or --serve")
    signal.signal(signal.SIGTERM, _end)
    logging.basicConfig(
        level=logging.ERROR if options.quiet else logging.WARNING, format="%(message)s", stream=sys.stderr
    )
    requests: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(requests,), daemon=True).start()
    if options.serve:
        _serve(requests, quiet=options.quiet)
        return 0
    try:
        request = DataRequest.from_json(requests.get())
        if options.begun:
            options.begun.touch()
        prepare(request, quiet=options.quiet).save(options.out)
    except T5MixError as error:
        write_json(options.out, {"error": _explain(error)})
        return 2
    return 0


def _serve(requests: "queue.SimpleQueue[str]", *, quiet: bool) -> None:
    """Answers requests until the parent ends, or asks for nothing more."""
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)  # what a task's code prints must not get between the answers
        while True:
            try:
                message = json.loads(requests.get(timeout=_IDLE_SECONDS))
            except queue.Empty:
                return
            try:
                request = DataRequest.from_json(message["request"])
                path = prepare_shard(request, message["task"], message["shard"], quiet=quiet)
                answer = {"path": str(path)}
            except T5MixError as error:
                answer = {"error": _explain(error)}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


def _explain(error: T5MixError) -> str:
    if isinstance(error, PreprocessingError):
        traceback.print_exception(error.__cause__)
    return str(error)


def _receive(requests: "queue.SimpleQueue[str]") -> None:
    """Hands on the lines that come on the standard input."""
    text = b""
    while more := os.read(0, 1 << 16):  # not sys.stdin, whose lock a thread must not hold when Python ends
        *lines, text = (text + more).split(b"\n")
        for line in lines:
            requests.put(line.decode())


def _end(*_: object) -> None:
    """Ends this process, half-written stores removed."""
    raise SystemExit(ENDED)


if __name__ == "__main__":
    sys.exit(main())
