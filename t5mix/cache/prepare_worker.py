"""Prepares a run's data: from a request to a manifest. The only way from training to seqio, and a process of its own.

It loads TensorFlow only if a task of the request is registered with seqio.

python -m t5mix.cache.prepare_worker --out data_manifest.json   # prepares what a line of its standard input requests
python -m t5mix.cache.prepare_worker --serve       # makes one shard after the other, as its standard input asks

The first takes a DataRequest as JSON; started with --tensorflow before there is one, it loads TensorFlow, which takes
longest, while it waits. The second takes {"request": text of a DataRequest, "task": "c4", "shard": 3}, and answers on
the standard output with {"path": folder} or {"error": text}.
"""

import argparse
import contextlib
import importlib
import json
import logging
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from t5mix.cache.declared_task import DeclaredTask
from t5mix.cache.listing import keep_listing, kept_listing
from t5mix.cache.materialize import CachedSplit, find_cached, make_shard, materialize
from t5mix.cache.run_task import TRAIN, PreprocessingError, RunTask, SplitSpec
from t5mix.cache.run_tasks import RunTasks, load_tasks
from t5mix.cache.score_checks import check_scores
from t5mix.cache.source_shards import count_shards, extrapolated
from t5mix.child_process import ENDED
from t5mix.data.manifest import DataManifest, DataRequest, TaskEntry, shard_path
from t5mix.data.prepare_client import CHECKED
from t5mix.data.token_store import MissingStoreError
from t5mix.errors import T5MixError, UnknownNameError
from t5mix.files import write_json

_IDLE_SECONDS = 300.0  # TensorFlow takes about a gigabyte: not to be held for an epoch that may last hours


def prepare(request: DataRequest, *, quiet: bool = False, checked: Callable[[], None] | None = None) -> DataManifest:
    """Makes every token store that a request needs, and says where they are.

    Stores that are there already are used as they are. All that can be checked beforehand is checked before
    the first store is written.

    Args:
        request: what data the run asks for.
        quiet: whether to show no progress.
        checked: is called when all is checked and stores are about to be written.

    Raises:
        T5MixError: something about the request, the tasks or their files is wrong.
        DamagedStoreError: a store that is needed is not whole.
    """
    run = load_tasks(request)
    if request.start_vocabulary not in (None, run.vocabulary.identity):
        raise T5MixError(
            f"start_from was trained with another vocabulary: {request.start_vocabulary}. The data has "
            f"{run.vocabulary.path or run.vocabulary.kind}: {run.vocabulary.identity}. Set vocabulary to the "
            "checkpoint's (null takes that of an imported one), or start from another checkpoint."
        )
    _check_named(request.named_tasks, [task.name for task in run.tasks])
    _check_streamed(request, run)
    store_dir = Path(request.store_dir).expanduser().resolve()
    specs = {task.name: _split_specs(request, task) for task in run.tasks}
    for task in run.tasks:
        task.check_lengths(specs[task.name][0].lengths)
    for task in run.tasks:
        absent = [spec for spec in specs[task.name] if find_cached(spec, store_dir, request.seed) is None]
        if absent:  # a streamed split is too large to be read for this; its shards are checked as they are made
            splits = request.checked_splits(task.splits)
            task.check_files([split for split in splits if split != TRAIN or task.name not in request.streamed])
        if absent or isinstance(task, DeclaredTask):  # whose metrics may have changed, and which are read quickly
            for spec in specs[task.name]:
                if spec.split != TRAIN and task.metrics:
                    check_scores(spec)
    if checked is not None:
        checked()
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
    for name in request.streamed:
        if name not in run.known:
            raise UnknownNameError("task", name, run.known, "streamed lists tasks, not mixtures.")


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


def _split_specs(request: DataRequest, task: RunTask) -> list[SplitSpec]:
    task.check_split(request.splits[0])
    return [split_spec_of(request, task, split) for split in request.splits if split in task.splits]


def split_spec_of(request: DataRequest, task: RunTask, split: str) -> SplitSpec:
    """Returns the spec of one split of a task, as a request asks for it."""
    source_shards = count_shards(task, split) if split == TRAIN and task.name in request.streamed else 1
    return SplitSpec(task, split, request.inputs_length, request.targets_length, source_shards)


def _task_entry(request: DataRequest, task: RunTask, cached: list[tuple[SplitSpec, CachedSplit]]) -> TaskEntry:
    splits = {spec.split: split.entry for spec, split in cached}
    for spec, split in cached:
        if spec.is_streamed:
            examples = request.streamed[task.name]
            splits[spec.split] = extrapolated(split.entry, spec, request.seed, examples)
    return TaskEntry(
        name=task.name,
        random=any(split.random for _, split in cached),
        splits=splits,
        metrics=task.metrics,
        likelihoods=task.likelihoods,
        shards_per_epoch=max(spec.source_shards for spec, _ in cached),
        all_splits=task.splits,
        choices=dict(task.choices),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs as a child process: writes the result, or {"error": text}, to the file that --out names."""
    parser = argparse.ArgumentParser(prog="python -m t5mix.cache.prepare_worker")
    parser.add_argument("--out", type=Path, help="where the DataManifest or error goes")
    parser.add_argument("--mark-checked", action="store_true", help="make a file beside --out once all is checked")
    parser.add_argument("--tensorflow", action="store_true", help="load TensorFlow at once")
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
    if options.tensorflow:
        importlib.import_module("t5mix.tensorflow_setup")
    try:
        request = DataRequest.from_json(requests.get())
        if request.needs_tensorflow:
            importlib.import_module("t5mix.tensorflow_setup")
        checked = (options.out.parent / CHECKED).touch if options.mark_checked else None
        prepare(request, quiet=options.quiet, checked=checked).save(options.out)
        _keep_names(request)
    except T5MixError as error:
        write_json(options.out, {"error": _explain(error)})
        return 2
    return 0


def _keep_names(request: DataRequest) -> None:
    """Keeps the names of what is registered, for commands that do without TensorFlow."""
    if request.needs_tensorflow and kept_listing(request.plugins) is None:
        from t5mix.cache.registry_listing import list_registered

        keep_listing(list_registered(request.plugins), request.plugins)


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
