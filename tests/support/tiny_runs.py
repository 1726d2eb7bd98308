"""A tiny run on hand-made token stores, for tests of the data, the training and the runs; seqio plays no part.

Also a program, for tests that need a process of their own: `python tests/support/tiny_runs.py JOBS.json` takes a list
of
{"run_dir": ..., "manifest": ..., "training": {...}, "mesh": {...}, "stop": ..., "kill": ..., "record": ...} and runs
one after the other; with "settings": [...] by way of the configuration. `run_processes` starts several at once.
"""

import contextlib
import dataclasses
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from t5mix.data.manifest import DataManifest, DataRequest, StoreEntry, TaskEntry, VocabularyEntry
from t5mix.data.ragged import token_batch
from t5mix.data.token_store import TokenStore, write_store

EOS = 1
VOCAB_SIZE = 64
INPUTS, TARGETS = 16, 8
SIZES = {"copy": 40, "first": 24}
VALIDATION_SIZES = {"copy": 9, "first": 5}


def make_examples(task: str, count: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Random words; the target is all of them ("copy") or the first one ("first")."""
    draw = np.random.default_rng(seed)
    examples = []
    for _ in range(count):
        words = draw.integers(2, 20, draw.integers(2, TARGETS), dtype=np.int32)
        target = words if task == "copy" else words[:1]
        prefix = [30 if task == "copy" else 31]
        examples.append((np.asarray([*prefix, *words, EOS], np.int32), np.asarray([*target, EOS], np.int32)))
    return examples


def make_store(path: Path, examples: Sequence[tuple[np.ndarray, np.ndarray]]) -> TokenStore:
    return write_store(
        path, [token_batch(examples)], provenance={"test": path.name}, max_inputs=INPUTS, max_targets=TARGETS
    )


def store_of_lengths(path: Path, lengths: Sequence[tuple[int, int]], first_token: int = 100) -> TokenStore:
    """A store whose examples have these (input, target) lengths; each token occurs once, so that it tells its place."""
    examples, token = [], first_token
    for inputs, targets in lengths:
        middle = token + inputs
        examples.append((np.arange(token, middle), np.arange(middle, middle + targets)))
        token = middle + targets
    return write_store(path, [token_batch(examples)], provenance={}, max_inputs=1 << 20, max_targets=1 << 20)


def make_manifest(
    folder: Path, sizes: Mapping[str, int] = SIZES, validation_sizes: Mapping[str, int] = VALIDATION_SIZES
) -> DataManifest:
    tasks = []
    for number, name in enumerate(sizes):
        splits = {}
        for split, counts, seed in (("train", sizes, number), ("validation", validation_sizes, 100 + number)):
            if name in counts:
                path = folder / "stores" / name / split
                store = make_store(path, make_examples(name, counts[name], seed))
                splits[split] = StoreEntry(str(path), f"{name}-{split}", store.counts)
        tasks.append(TaskEntry(name, False, splits))
    return DataManifest(
        make_request(folder, tuple(sizes)), VocabularyEntry("bytes", "", "", 0, VOCAB_SIZE), tuple(tasks)
    )


def with_choices(manifest: DataManifest, *metrics: str) -> DataManifest:
    """The words are labels of the second task, the target of which is one of them."""
    copy, first = manifest.tasks
    choices = {f"word {word}": (word, EOS) for word in range(2, 20)}
    return dataclasses.replace(manifest, tasks=(copy, dataclasses.replace(first, choices=choices, metrics=metrics)))


def make_request(folder: Path, mixture: tuple[str, ...] = tuple(SIZES)) -> DataRequest:
    return DataRequest(mixture, INPUTS, TARGETS, 0, str(folder / "stores"))


def model_config(**changes: Any) -> Any:
    from t5mix.model.config import T5Config

    small = {"d_model": 16, "d_ff": 32, "d_kv": 8, "num_heads": 2, "num_layers": 1, "num_decoder_layers": 1}
    return T5Config(**{"vocab_size": VOCAB_SIZE, **small, **changes})


def make_engine(training: Any, mesh: Any = None, optimizer: Any = None, schedule: Any = None, **model: Any) -> Any:
    """An engine for two tasks, by `built_once`."""
    from t5mix.finetuning import Full
    from t5mix.training.optimizer import Adafactor
    from t5mix.training.schedule import Constant
    from t5mix.training.sharding import MeshConfig

    return built_once(
        model_config(**model),
        Full().bind(tuple(SIZES)),
        optimizer or Adafactor(),
        schedule or Constant(learning_rate=0.02),
        training,
        mesh or MeshConfig(),
        0,
    )


_plain_params: dict[Any, Any] = {}
"""What plain models begin with, which is the same under all policies."""


@functools.cache
def built_once(*settings: Any) -> Any:
    """An engine; the same settings give the same one: all is traced, compiled and drawn once.

    A start from fresh parameters, or from a checkpoint, gets copies, as a step uses up what it is given.
    """
    import jax
    from jax import numpy as jnp

    from t5mix.model.t5 import abstract_model
    from t5mix.training.engine import Engine

    engine: Any = Engine(*settings)
    model, seed = settings[0], settings[-1]
    plain, initialize = abstract_model(model)[1].keys(), engine._initialized

    def initialize_once(paths: Sequence[str]) -> Any:
        if not plain >= set(paths):
            return initialize(paths)
        key = model, seed, *((path, engine.params[path].dtype, engine.params[path].sharding) for path in paths)
        if key not in _plain_params:
            _plain_params[key] = initialize(paths)
        return _plain_params[key]

    engine._initialized = initialize_once
    draw, begin = engine._fresh, functools.cache(engine.start)
    first = functools.cache(lambda: draw(engine.params))
    engine._fresh = lambda paths: {path: jnp.copy(first()[path]) for path in paths}
    engine.start = lambda checkpoint: jax.tree.map(jnp.copy, begin(checkpoint))
    engine._like = functools.cache(engine._like)
    engine.close = lambda: None  # others go on with it
    return engine


def make_job(run_dir: Path, manifest: DataManifest, training: Any, **changes: Any) -> Any:
    from t5mix.mixing import Proportional
    from t5mix.tracking.run_directory import RunDirectory
    from t5mix.training.job import TrainingJob

    engine = changes.pop("engine", None) or make_engine(training, changes.pop("mesh", None))
    checkpoint_metadata = {
        "model": dataclasses.asdict(model_config()),
        "finetuning": {"kind": "full"},
        "vocabulary": dataclasses.asdict(manifest.vocabulary),
    }
    fields = {
        "directory": RunDirectory(run_dir),
        "manifest": manifest,
        "shards": None,
        "strategy": Proportional(),
        "unit": "examples",
        "config": training,
        "engine": engine,
        "start_from": None,
        "seed": 0,
        "checkpoint_metadata": checkpoint_metadata,
    }
    return TrainingJob(**{**fields, **changes})


class InterruptedRunError(Exception):
    """What a test raises in the middle of a run."""


class Watched:
    """An engine that calls `hook` with the number of steps it has dispatched, after each of them."""

    def __init__(self, engine: Any, hook: Callable[[int], None]) -> None:
        self._engine, self._hook, self._steps = engine, hook, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def step(self, state: Any, batch: Any) -> Any:
        result = self._engine.step(state, batch)
        self._steps += 1
        self._hook(self._steps)
        return result


class Recorded:
    """An engine that keeps the rows that it is given."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self.batches: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def step(self, state: Any, batch: Any) -> Any:
        self.batches.append(batch)
        return self._engine.step(state, batch)

    def save(self, path: Path) -> None:
        np.savez(path, **{name: np.stack([batch[name] for batch in self.batches]) for name in self.batches[0]})


def raise_after(steps: int) -> Callable[[int], None]:
    def hook(done: int) -> None:
        if done == steps:
            raise InterruptedRunError

    return hook


def signal_after(steps: int, number: signal.Signals) -> Callable[[int], None]:
    def hook(done: int) -> None:
        if done == steps:
            os.kill(os.getpid(), number)

    return hook


def logged(run_dir: Path) -> list[dict[str, Any]]:
    """The lines of a run's metrics file, without what the clock says."""
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text("utf-8").splitlines()]
    return [{k: v for k, v in line.items() if k not in ("seconds", "tokens_per_second")} for line in lines]


def final_params(run_dir: Path, engine: Any, step: int) -> dict[str, np.ndarray]:
    from t5mix.checkpoint.reader import read_params

    params = read_params(run_dir / "checkpoints" / str(step), engine.params)
    return {name: np.asarray(leaf) for name, leaf in params.items()}


def run_processes(folder: Path, jobs: Sequence[Sequence[Mapping[str, Any]]], seconds: float = 200) -> list[Any]:
    """Runs a list of jobs in each of several processes that train together; returns what each process printed.

    None of them outlives the call.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": "1"}
    latest = time.monotonic() + seconds
    with contextlib.ExitStack() as opened:
        children = []
        for process, mine in enumerate(jobs):
            (folder / f"jobs-{process}.json").write_text(json.dumps(mine), encoding="utf-8")
            place = {"coordinator": address, "processes": len(jobs), "process": process}
            out, err = (opened.enter_context(open(folder / f"{name}-{process}.txt", "w")) for name in ("out", "err"))
            command = [sys.executable, __file__, str(folder / f"jobs-{process}.json"), json.dumps(place)]
            child = subprocess.Popen(command, env=environment, stdout=out, stderr=err)
            opened.callback(child.wait)
            opened.callback(child.kill)
            children.append(child)
        codes = [child.wait(latest - time.monotonic()) for child in children]
    errors = [(folder / f"err-{process}.txt").read_text("utf-8")[-3000:] for process in range(len(jobs))]
    assert not any(codes), (codes, *errors)
    outs = [(folder / f"out-{process}.txt").read_text("utf-8") for process in range(len(jobs))]
    return [[json.loads(line) for line in out.splitlines()] for out in outs]  # nothing else gets there


def main() -> None:
    from t5mix.distributed.processes import DistributedConfig, join
    from t5mix.errors import T5MixError

    if len(sys.argv) > 2:
        join(DistributedConfig(**json.loads(sys.argv[2])))
    for raw in json.loads(Path(sys.argv[1]).read_text("utf-8")):
        try:
            outcome = dataclasses.asdict(run_experiment(raw) if "settings" in raw else run_job(raw))
        except T5MixError as error:
            outcome = {"error": str(error)}
        sys.stdout.write(json.dumps(outcome) + "\n")


def run_experiment(raw: Mapping[str, Any]) -> Any:
    from t5mix.config.compose import compose_experiment
    from t5mix.config.reading import read_experiment
    from t5mix.distributed.processes import is_main_process
    from t5mix.runs import build_engine, train

    def prepare(request: DataRequest, **_: Any) -> DataManifest:
        assert is_main_process()
        return dataclasses.replace(DataManifest.load(Path(raw["manifest"])), request=request)

    train.prepare_in_subprocess = prepare
    build_engine.Engine = lambda *_: engine_of(raw)  # to be compiled once
    return train.train_experiment(read_experiment(compose_experiment(overrides=raw["settings"])))


def engine_of(raw: Mapping[str, Any]) -> Any:
    from t5mix.training.config import TrainingConfig
    from t5mix.training.sharding import MeshConfig

    return make_engine(TrainingConfig(**raw["training"]), MeshConfig(**raw.get("mesh", {})))


def run_job(raw: Mapping[str, Any]) -> Any:
    from t5mix.training.config import TrainingConfig
    from t5mix.training.trainer import train

    training = TrainingConfig(**raw["training"])
    engine = recorded = Recorded(engine_of(raw))
    if "stop" in raw:
        engine = Watched(engine, signal_after(raw["stop"], signal.SIGTERM))
    if "kill" in raw:
        engine = Watched(engine, signal_after(raw["kill"], signal.SIGKILL))
    outcome = train(make_job(Path(raw["run_dir"]), DataManifest.load(Path(raw["manifest"])), training, engine=engine))
    if "record" in raw:
        recorded.save(Path(raw["record"]))
    return outcome


if __name__ == "__main__":
    main()
