from pathlib import Path
from typing import Any

import numpy as np
import pytest

from t5mix import forecast as forecast_module
from t5mix.composition import compose_experiment
from t5mix.data.lock import DataLock, DataRequest, StoreEntry, TaskEntry, epoch_path
from t5mix.data.pipeline import task_data, training_batches
from t5mix.data.plan import BatchShape
from t5mix.errors import T5MixError
from t5mix.experiment import Experiment, read_experiment
from t5mix.forecast import forecast


@pytest.fixture
def lock(tmp_path: Path, tiny, monkeypatch: pytest.MonkeyPatch) -> DataLock:
    """The data that a child process would prepare."""
    made = tiny.make_lock(tmp_path, sizes={"copy": 300, "first": 100})

    def prepare(request: DataRequest, **_: Any) -> DataLock:
        assert request.splits == ("train",)
        return made

    monkeypatch.setattr(forecast_module, "prepare_in_child", prepare)
    return made


def experiment(*overrides: str) -> Experiment:
    lengths = ["lengths={inputs:16,targets:8}", "training.rows=8", "mixture=[copy,first]", "run_dir=r"]
    return read_experiment(compose_experiment(overrides=[*lengths, *overrides]))


def test_proportions_and_rates_are_the_strategys(lock: DataLock):
    found = forecast(experiment("mixing.limit=200"), 10)
    assert [(task.name, task.size, task.rate) for task in found.tasks] == [("copy", 300, 200), ("first", 100, 100)]
    assert [task.proportion for task in found.tasks] == pytest.approx([2 / 3, 1 / 3])


def test_expectations_are_near_what_a_run_draws(lock: DataLock):
    steps = 40
    found = forecast(experiment(), steps)
    tasks = [task_data(entry) for entry in lock.tasks]
    batches = training_batches(
        tasks, BatchShape(rows=8, inputs=16, targets=8), seed=0, weights=lambda step: np.asarray([0.75, 0.25])
    )
    counts = [next(batches).counts for _ in range(steps)]
    examples = np.sum([count.examples for count in counts], axis=0)
    tokens = np.sum([count.input_tokens + count.target_tokens for count in counts], axis=0)
    assert found.examples_per_step * steps == pytest.approx(examples.sum())
    for task, drawn, of_tokens in zip(found.tasks, examples, tokens, strict=True):
        assert task.examples == pytest.approx(drawn, rel=0.15)
        assert task.tokens == pytest.approx(of_tokens, rel=0.15)
        assert task.epochs == pytest.approx(task.examples / task.size)
    assert found.inputs_filled == pytest.approx(sum(c.input_tokens.sum() for c in counts) / (steps * 8 * 16))
    assert found.targets_filled == pytest.approx(sum(c.target_tokens.sum() for c in counts) / (steps * 8 * 8))


def test_a_long_run_is_extrapolated(lock: DataLock):
    short, long = forecast(experiment(), 100), forecast(experiment(), 100_000)
    assert (long.planned_steps, long.steps) == (100, 100_000)
    assert long.tasks[0].examples == pytest.approx(1000 * short.tasks[0].examples)


def test_a_random_task_is_judged_by_its_first_epoch(tmp_path: Path, lock: DataLock, tiny, monkeypatch):
    store = tiny.make_store(epoch_path(tmp_path / "r", 0), tiny.make_examples("copy", 20, 0))
    entry = TaskEntry("r", True, {"train": StoreEntry(str(tmp_path / "r"), "f", store.counts)})
    random = DataLock(lock.request, lock.vocabulary, (entry,))
    monkeypatch.setattr(forecast_module, "prepare_in_child", lambda request: random)
    found = forecast(experiment(), 5)
    assert found.tasks[0].proportion == 1
    assert found.tasks[0].examples == found.examples_per_step * 5


def test_truncation_is_shown(tmp_path: Path, lock: DataLock, tiny, monkeypatch):
    long = [(np.arange(30), np.arange(3))] * 2 + [(np.arange(5), np.arange(3))] * 6
    store = tiny.make_store(tmp_path / "cut", long)
    entry = TaskEntry("t", False, {"train": StoreEntry(str(tmp_path / "cut"), "f", store.counts)})
    monkeypatch.setattr(
        forecast_module, "prepare_in_child", lambda request: DataLock(lock.request, lock.vocabulary, (entry,))
    )
    assert forecast(experiment(), 2).tasks[0].truncated == 0.25


@pytest.mark.parametrize("steps", [0, -3])
def test_no_steps_are_refused(lock: DataLock, steps: int):
    with pytest.raises(T5MixError, match=f"--steps is {steps}: it must be 1 or more"):
        forecast(experiment(), steps)
