"""Whole runs on hand-made stores: what they log and keep, and that no interruption changes anything."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from t5mix.checkpoint.integrity import DamagedCheckpointError
from t5mix.checkpoint.reader import read_run_state
from t5mix.checkpoint.writer import Checkpoints
from t5mix.data.manifest import DataManifest
from t5mix.data.ragged import token_batch
from t5mix.data.token_store import DamagedStoreError, TokenStore, open_store, write_store
from t5mix.errors import T5MixError
from t5mix.evaluation.generate import score_targets
from t5mix.training.config import TrainingConfig
from t5mix.training.job import Outcome
from t5mix.training.trainer import train

STEPS = 13
CHECKPOINTS = 5  # not a multiple of the logging period: a checkpoint stands in the middle of a log window


def settings(**changes: Any) -> TrainingConfig:
    periods = {"log_every": 4, "checkpoint_every": CHECKPOINTS, "evaluate_every": 6, "max_checkpoints_to_keep": 2}
    return TrainingConfig(**{"steps": STEPS, "batch_size": 8, "packing_buffer": 12, **periods, **changes})


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory, tiny: ModuleType) -> DataManifest:
    return tiny.make_manifest(tmp_path_factory.mktemp("data"))


class Reference:
    """An uninterrupted run, and the comparison with it."""

    def __init__(self, tiny: ModuleType, manifest: DataManifest, folder: Path, config: TrainingConfig) -> None:
        self.tiny, self.manifest, self.config, self.folder = tiny, manifest, config, folder
        self.engine = tiny.make_engine(config)
        self.outcome = self.train(folder)
        self.lines = tiny.logged(folder)
        self.params = tiny.final_params(folder, self.engine, STEPS)

    def train(self, run_dir: Path, hook: Any = None, **changes: Any) -> Outcome:
        engine = self.tiny.Watched(self.engine, hook) if hook else self.engine
        return train(self.tiny.make_job(run_dir, self.manifest, self.config, engine=engine, **changes))

    def assert_same(self, run_dir: Path) -> None:
        assert self.tiny.logged(run_dir) == self.lines
        params = self.tiny.final_params(run_dir, self.engine, STEPS)
        assert params.keys() == self.params.keys()
        for name, leaf in self.params.items():
            np.testing.assert_array_equal(params[name], leaf, err_msg=name)
        here, there = (read_run_state(folder / "checkpoints" / str(STEPS)) for folder in (run_dir, self.folder))
        assert here == there


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory, tiny: ModuleType, manifest: DataManifest) -> Reference:
    return Reference(tiny, manifest, tmp_path_factory.mktemp("whole"), settings())


@pytest.fixture(scope="module")
def accumulating(tmp_path_factory: pytest.TempPathFactory, tiny: ModuleType, manifest: DataManifest) -> Reference:
    return Reference(tiny, manifest, tmp_path_factory.mktemp("parts"), settings(gradient_accumulation_steps=4))


def test_a_run_learns_and_ends(reference: Reference):
    assert reference.outcome == Outcome(STEPS, finished=True)
    training = [line for line in reference.lines if line["kind"] == "train"]
    assert [line["step"] for line in training] == [4, 8, 12, 13]
    assert training[-1]["loss"] < 0.9 * training[0]["loss"]
    evaluated = [line for line in reference.lines if line["kind"] == "evaluation"]
    assert [line["step"] for line in evaluated] == [6, 12, 13]
    for task in ("copy", "first"):
        assert evaluated[-1]["tasks"][task]["loss"] < evaluated[0]["tasks"][task]["loss"]


def test_log_lines_hold_each_tasks_figures(reference: Reference):
    sizes, examples = {"copy": 40, "first": 24}, {"copy": 0, "first": 0}
    for line in reference.lines:
        if line["kind"] != "train":
            continue
        assert line["tasks"].keys() == sizes.keys()
        for task, values in line["tasks"].items():
            examples[task] += values["examples"]
            assert values["epochs"] == pytest.approx(examples[task] / sizes[task])
            assert values["proportion"] == pytest.approx(sizes[task] / 64)
            assert values["examples"] > 0
            assert values["tokens"] > values["loss_tokens"] > 0
            assert 0 <= values["token_accuracy"] <= 1
        total = sum(values["loss"] * values["loss_tokens"] for values in line["tasks"].values())
        assert line["loss"] == pytest.approx(total / sum(v["loss_tokens"] for v in line["tasks"].values()), rel=1e-5)
        assert line["learning_rate"] == pytest.approx(0.02)
        assert line["gradient_norm"] > 0


def test_log_lines_add_up_to_the_totals_of_the_checkpoint(reference: Reference):
    run_state = read_run_state(reference.folder / "checkpoints" / str(STEPS))
    training = [line for line in reference.lines if line["kind"] == "train"]
    for task, name in enumerate(("copy", "first")):
        for key, column in (("examples", "examples"), ("loss_tokens", "loss_tokens")):
            assert sum(line["tasks"][name][key] for line in training) == run_state["metrics"]["total"][column][task]


def test_a_short_run_warns_of_rarely_seen_tasks_once(
    reference: Reference, manifest: DataManifest, tiny: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    job = tiny.make_job(tmp_path / "run", manifest, settings(steps=1, warn_examples=1000), engine=reference.engine)
    assert train(job).finished
    warnings = [line for line in capsys.readouterr().err.splitlines() if "Fewer than 1,000 examples" in line]
    assert len(warnings) == 1
    assert "will be drawn" in warnings[0]


def test_a_checkpoint_explains_itself(reference: Reference):
    run_state = read_run_state(reference.folder / "checkpoints" / str(STEPS))
    assert run_state["model"]["d_model"] == 16
    assert run_state["finetuning"] == {"kind": "full"}
    assert run_state["stream"]["stream"]["position"] > 0
    evaluated = [line for line in reference.lines if line["kind"] == "evaluation"]
    for task, best in run_state["best"].items():
        losses = {line["step"]: line["tasks"][task]["loss"] for line in evaluated}
        assert best["loss"] == min(losses.values())
        assert losses[best["step"]] == best["loss"]


def test_the_latest_checkpoints_and_the_best_are_kept(reference: Reference):
    kept = {int(entry.name) for entry in (reference.folder / "checkpoints").iterdir()}
    best = {entry["step"] for entry in read_run_state(reference.folder / "checkpoints" / str(STEPS))["best"].values()}
    assert kept == {12, 13} | best  # max_checkpoints_to_keep=2


def test_a_finished_run_is_left_as_it_is(reference: Reference, tmp_path: Path):
    shutil.copytree(reference.folder, tmp_path / "run")
    assert reference.train(tmp_path / "run", hook=reference.tiny.raise_after(1)) == Outcome(STEPS, finished=True)
    reference.assert_same(tmp_path / "run")


@pytest.mark.parametrize(
    ("kind", "stops"),
    [("reference", [2]), ("reference", [7]), ("reference", [12, 2, 1]), ("accumulating", [12, 2, 1])],
)
def test_a_run_that_fell_over_continues_to_the_same_bits(
    kind: str, stops: list[int], tmp_path: Path, request: pytest.FixtureRequest
):
    run: Reference = request.getfixturevalue(kind)
    for steps in stops:
        with pytest.raises(run.tiny.InterruptedRunError):
            run.train(tmp_path / "run", hook=run.tiny.raise_after(steps))
    assert run.train(tmp_path / "run") == Outcome(STEPS, finished=True)
    run.assert_same(tmp_path / "run")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_writes_a_checkpoint_and_the_run_continues(
    reference: Reference, tmp_path: Path, number: signal.Signals
):
    outcome = reference.train(tmp_path / "run", hook=reference.tiny.signal_after(7, number))
    assert outcome == Outcome(7, finished=False, signal=number.name)
    assert max(int(entry.name) for entry in (tmp_path / "run" / "checkpoints").iterdir()) == 7
    assert reference.train(tmp_path / "run") == Outcome(STEPS, finished=True)
    reference.assert_same(tmp_path / "run")


def test_a_signal_at_the_last_step_is_too_late(reference: Reference, tmp_path: Path):
    outcome = reference.train(tmp_path / "run", hook=reference.tiny.signal_after(STEPS, signal.SIGTERM))
    assert outcome.finished
    reference.assert_same(tmp_path / "run")


def program(tiny: ModuleType, folder: Path, jobs: list[dict[str, Any]]) -> list[str]:
    (folder / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
    return [sys.executable, str(tiny.__file__), str(folder / "jobs.json")]


def run_program(tiny: ModuleType, folder: Path, jobs: list[dict[str, Any]], **environment: str) -> Any:
    command = program(tiny, folder, jobs)
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300)


def test_a_killed_process_is_continued_to_the_same_bits(reference: Reference, tmp_path: Path):
    reference.manifest.save(tmp_path / "manifest.json")
    job = {
        "run_dir": str(tmp_path / "run"),
        "manifest": str(tmp_path / "manifest.json"),
        "training": dataclasses.asdict(reference.config),
        "kill": 9,
    }
    done = run_program(reference.tiny, tmp_path, [job])
    assert done.returncode == -signal.SIGKILL, done.stderr
    with open(tmp_path / "run" / "metrics.jsonl", "a", encoding="utf-8") as file:
        file.write('{"kind": "train", "step": 8, "lo')  # a line cut short
    reference.train(tmp_path / "run")
    reference.assert_same(tmp_path / "run")


@pytest.mark.parametrize("signals", [1, 2])  # the second one ends the process at once
def test_a_signal_while_a_checkpoint_is_written_leaves_none_that_is_half_written(
    reference: Reference, tmp_path: Path, signals: int
):
    run, manifest = tmp_path / "run", tmp_path / "manifest.json"
    reference.manifest.save(manifest)
    job = {"run_dir": str(run), "manifest": str(manifest), "training": dataclasses.asdict(reference.config)}
    process, sent = subprocess.Popen(program(reference.tiny, tmp_path, [job]), stderr=subprocess.DEVNULL), 0
    while process.poll() is None and sent < signals:
        if any("tmp" in path.name for path in run.glob("checkpoints/*")):  # as Orbax names what it still writes
            process.send_signal(signal.SIGTERM)
            sent += 1
        time.sleep(0.001)
    assert process.wait(300) in (0, -signal.SIGINT, -signal.SIGTERM)
    assert sent
    checkpoints = Checkpoints(run / "checkpoints")
    for step in checkpoints.steps():
        assert int(checkpoints.restore(step, reference.engine.start(None))[0].step) == step  # which checks its files
    checkpoints.close()
    reference.train(run)
    reference.assert_same(run)


def test_prefetching_changes_no_loss(reference: Reference, tmp_path: Path):
    config = dataclasses.replace(reference.config, prefetch=7)
    train(reference.tiny.make_job(tmp_path / "run", reference.manifest, config, engine=reference.engine))
    reference.assert_same(tmp_path / "run")


def test_accumulation_changes_no_data(reference: Reference, accumulating: Reference):
    for one, other in zip(reference.lines, accumulating.lines, strict=True):
        if one["kind"] == "train":
            for task in one["tasks"]:
                for name in ("examples", "tokens", "loss_tokens", "epochs"):
                    assert one["tasks"][task][name] == other["tasks"][task][name]


def test_a_run_starts_from_the_parameters_of_another(reference: Reference, tmp_path: Path):
    source = reference.folder / "checkpoints" / str(STEPS)
    start = reference.engine.start(source)
    assert int(start.step) == 0
    for name, leaf in reference.params.items():
        np.testing.assert_array_equal(np.asarray(start.params[name]), leaf)
    fresh = reference.engine.start(None)
    assert all(not np.any(leaf) for leaf in _moments(start.optimizer))
    assert any(np.any(np.asarray(fresh.params[n]) != reference.params[n]) for n in reference.params)
    reference.train(tmp_path / "run", start_from=source)
    first = next(line for line in reference.tiny.logged(tmp_path / "run") if line["kind"] == "train")
    assert first["loss"] < next(line for line in reference.lines if line["kind"] == "train")["loss"]


def _moments(optimizer: Any) -> list[np.ndarray]:
    import jax

    return [np.asarray(leaf) for leaf in jax.tree.leaves(optimizer) if leaf.size > 1]


class Diverging:
    """An engine whose loss is no number from a step on."""

    def __init__(self, engine: Any, step: int) -> None:
        self._engine, self._step, self._done = engine, step, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def step(self, state: Any, batch: Any) -> Any:
        state, metrics = self._engine.step(state, batch)
        self._done += 1
        if self._done < self._step:
            return state, metrics
        return state, metrics._replace(sums=metrics.sums._replace(objective=jnp.float32(jnp.nan)))


def test_a_loss_that_is_no_number_ends_the_run_and_is_never_saved(reference: Reference, tmp_path: Path):
    engine = Diverging(reference.engine, 10)
    with pytest.raises(T5MixError, match=r"loss is nan .* at step 10"):
        train(reference.tiny.make_job(tmp_path / "run", reference.manifest, reference.config, engine=engine))
    checkpoints = Checkpoints(tmp_path / "run" / "checkpoints")
    assert checkpoints.steps()[-1] < 10
    checkpoints.close()
    reference.train(tmp_path / "run")
    reference.assert_same(tmp_path / "run")


def test_a_damaged_checkpoint_is_reported_and_can_be_put_aside(reference: Reference, tmp_path: Path):
    reference.train(tmp_path / "run", hook=reference.tiny.signal_after(7, signal.SIGTERM))
    (tmp_path / "run" / "checkpoints" / "7" / "run_state" / "metadata").write_text("{}", encoding="utf-8")
    with pytest.raises(DamagedCheckpointError, match="The last good one is step 6"):
        reference.train(tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "7")
    reference.train(tmp_path / "run")
    reference.assert_same(tmp_path / "run")


def test_a_damaged_store_ends_the_run_before_its_first_step(reference: Reference, tmp_path: Path):
    manifest = reference.tiny.make_manifest(tmp_path)
    (Path(manifest.tasks[0].splits["train"].path) / "targets.tokens").unlink()
    with pytest.raises(DamagedStoreError, match=r"targets\.tokens is missing"):
        train(reference.tiny.make_job(tmp_path / "run", manifest, reference.config, engine=reference.engine))
    assert list((tmp_path / "run" / "checkpoints").iterdir()) == []


def test_choices_are_evaluated_beside_the_losses(reference: Reference, tmp_path: Path):
    """On as many examples; what else the run does stays as it is."""
    manifest = reference.tiny.with_choices(reference.manifest, "choice_accuracy_by_token", "choice_accuracy")
    config = dataclasses.replace(reference.config, evaluation_examples=4)
    assert train(reference.tiny.make_job(tmp_path, manifest, config, engine=reference.engine)).finished
    lines = reference.tiny.logged(tmp_path)
    assert [line for line in lines if line["kind"] == "train"] == [
        line for line in reference.lines if line["kind"] == "train"
    ]
    evaluations = [line["tasks"] for line in lines if line["kind"] == "evaluation"]
    assert evaluations[0]["copy"].keys() == {"loss", "token_accuracy"}
    assert list(evaluations[0]["first"]) == ["loss", "token_accuracy", "choice_accuracy", "choice_accuracy_by_token"]
    store = open_store(Path(manifest.task("first").splits["validation"].path))
    params = {name: jnp.asarray(leaf) for name, leaf in reference.params.items()}
    model = reference.engine.graphdef, params
    likelihoods = np.stack(
        [
            score_targets(*model, with_targets(store, word, tmp_path / str(word)), batch_size=4, task_id=1).log_probs
            for word in range(2, 20)
        ],
        axis=1,
    )
    right = [2 + guess == store.example(index)[1][0] for index, guess in enumerate(likelihoods[:4].argmax(axis=1))]
    # All labels have two tokens.
    assert evaluations[-1]["first"]["choice_accuracy"] == 100 * np.mean(right)
    assert evaluations[-1]["first"]["choice_accuracy_by_token"] == 100 * np.mean(right)


def with_targets(store: TokenStore, word: int, path: Path) -> TokenStore:
    """A store of the same inputs that all have one target."""
    examples = [(store.example(index)[0], np.array([word, 1], np.int32)) for index in range(len(store))]
    return write_store(path, [token_batch(examples)], provenance={}, max_inputs=16, max_targets=8)


def test_without_validation_splits_nothing_is_evaluated(reference: Reference, tmp_path: Path):
    manifest = reference.tiny.make_manifest(tmp_path, validation_sizes={})
    job = reference.tiny.make_job(tmp_path / "run", manifest, reference.config, engine=reference.engine)
    assert train(job).finished
    lines = reference.tiny.logged(tmp_path / "run")
    assert {line["kind"] for line in lines} == {"train"}
    assert lines == [line for line in reference.lines if line["kind"] == "train"]
    assert {int(entry.name) for entry in (tmp_path / "run" / "checkpoints").iterdir()} == {10, 13}
