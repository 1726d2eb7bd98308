"""Runs on a base: what their checkpoints hold, how these load, switch, merge and come apart."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from t5mix.checkpoint.reader import base_of, identity_of, saved_shapes
from t5mix.config.experiment import Experiment
from t5mix.errors import T5MixError
from t5mix.runs.deltas import extract_task, inspect_checkpoint, merge_delta
from t5mix.runs.load import load_model
from t5mix.runs.predict import predict_texts
from t5mix.runs.train import train_experiment

Make = Callable[..., Experiment]
LORA = ("finetuning=lora", "finetuning.rank=2", "optimizer=adamw")
BANK = ("finetuning=per_task", "finetuning.policy={kind:lora,rank:2}", "optimizer=adamw")
LINES = ["copy a b", "first x y z", "q"]


def answers(path: Path, task: str | None = None) -> list[str]:
    return predict_texts(load_model(path), LINES, batch_size=4, max_length=6, task=task)


@pytest.fixture(scope="module")
def base(finished: Any) -> Path:
    return finished.path / "checkpoints" / "6"


@pytest.fixture(scope="module")
def runs(finished: Any, experiment_of: Make, tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA and a bank on the finished run's model."""
    from t5mix.runs import build_engine
    from t5mix.runs import train as module

    folder = tmp_path_factory.mktemp("deltas")
    start = f"start_from={finished.path}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build_engine, "Engine", tiny.built_once)
        patch.setattr(module, "prepare_in_subprocess", type(finished.data)(finished.data.manifest).prepare)
        assert train_experiment(experiment_of(folder / "lora", *LORA, start)).finished
        assert train_experiment(experiment_of(folder / "bank", *BANK, start)).finished
    return folder


def test_a_checkpoint_holds_what_was_trained_and_names_its_base(runs: Path, base: Path):
    for name in ("lora", "bank"):
        path = runs / name / "checkpoints" / "6"
        assert all("lora_" in leaf for leaf in saved_shapes(path))
        found = base_of(path)
        assert found is not None
        assert (found.path, found.identity) == (base, identity_of(base))
        contents = inspect_checkpoint(runs / name)
        assert contents.saved == sum(leaf.size for leaf in saved_shapes(path).values()) < contents.total / 3
        assert contents.policy["kind"] == {"lora": "lora", "bank": "per_task"}[name]
    assert inspect_checkpoint(base).identity == identity_of(base)
    assert base_of(base) is None


def test_the_frozen_part_is_the_bases_own(runs: Path, base: Path):
    plain, model = load_model(base), load_model(runs / "lora")
    for path, leaf in plain.params.items():
        np.testing.assert_array_equal(np.asarray(model.params[path]), np.asarray(leaf))


@pytest.mark.usefixtures("data")
def test_a_stopped_run_on_a_base_goes_on(runs: Path, finished: Any, experiment_of: Make, tmp_path: Path, tiny: Any):
    shutil.copytree(runs / "lora", tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "6")
    (tmp_path / "run" / "result.json").unlink()
    assert train_experiment(experiment_of(tmp_path / "run", *LORA, f"start_from={finished.path}")).finished
    whole, broken = (load_model(folder).params for folder in (runs / "lora", tmp_path / "run"))
    for path, leaf in whole.items():
        np.testing.assert_array_equal(np.asarray(broken[path]), np.asarray(leaf))


def test_several_switch_on_one_loaded_base(runs: Path, monkeypatch: pytest.MonkeyPatch):
    from t5mix.checkpoint import reader

    first = load_model(runs / "lora")
    monkeypatch.setattr(reader, "load_base", lambda path: pytest.fail("the base was read again"))
    second = first.switch(runs / "bank")
    third = second.switch(runs / "lora")
    for path in ("token_embedding/embedding", "encoder/blocks/0/attention/query/kernel"):
        assert first.params[path] is second.params[path] is third.params[path]
    for path, leaf in first.params.items():
        np.testing.assert_array_equal(np.asarray(third.params[path]), np.asarray(leaf))


def test_a_plain_model_serves_as_the_base_of_what_was_trained_on_it(runs: Path, base: Path):
    plain = load_model(base)
    assert plain.switch(runs / "lora").params["token_embedding/embedding"] is plain.params["token_embedding/embedding"]


def test_another_base_is_refused(runs: Path, finished: Any, base: Path, tmp_path: Path):
    other = finished.path / "checkpoints" / str(min(int(p.name) for p in base.parent.iterdir() if p.name.isdigit()))
    assert other != base
    with pytest.raises(T5MixError, match=rf"{other} is not the base of .*lora.*The base was {base}"):
        load_model(runs / "lora", other)
    with pytest.raises(T5MixError, match="is not the base of"):
        load_model(other).switch(runs / "lora")
    with pytest.raises(T5MixError, match="holds only what was trained on top of"):
        load_model(runs / "lora", runs / "bank" / "checkpoints" / "6")
    with pytest.raises(T5MixError, match="holds all its parameters itself"):
        load_model(other, base)


def test_a_base_may_move(runs: Path, base: Path, tmp_path: Path):
    moved = tmp_path / "moved"
    shutil.copytree(base, moved)
    found, expected = load_model(runs / "lora", moved), load_model(runs / "lora")
    for path, leaf in expected.params.items():
        np.testing.assert_array_equal(np.asarray(found.params[path]), np.asarray(leaf))


@pytest.mark.usefixtures("data")
def test_a_base_that_is_gone_is_named(finished: Any, experiment_of: Make, tmp_path: Path):
    shutil.copytree(finished.path, tmp_path / "base")
    settings = (*LORA, f"start_from={tmp_path / 'base'}")
    train_experiment(experiment_of(tmp_path / "run", *settings))
    shutil.rmtree(tmp_path / "base")
    with pytest.raises(T5MixError, match=r"The base of .*/run.* is missing: .*/base/checkpoints/6 is not there"):
        load_model(tmp_path / "run")


@pytest.mark.usefixtures("data")
def test_a_run_goes_on_where_its_base_was_moved(finished: Any, experiment_of: Make, tmp_path: Path, runs: Path):
    shutil.copytree(finished.path, tmp_path / "base")
    settings, run = (*LORA, "training.checkpoint_every=2"), tmp_path / "run"
    train_experiment(experiment_of(run, *settings, f"start_from={tmp_path / 'base'}"))
    expected = load_model(run).params
    shutil.rmtree(run / "checkpoints" / "6")
    (run / "result.json").unlink()
    (tmp_path / "base").rename(tmp_path / "moved")
    with pytest.raises(T5MixError, match=r"base of .* is missing: .* start_from to train on"):
        train_experiment(experiment_of(run, *settings, f"start_from={tmp_path / 'base'}"))
    other = tmp_path / "moved" / "checkpoints" / "4"
    with pytest.raises(T5MixError, match="is not the base of"):
        train_experiment(experiment_of(run, *settings, f"start_from={other}"))
    moved = f"start_from={tmp_path / 'moved'}"
    assert train_experiment(experiment_of(run, *settings, moved)).finished
    for path, leaf in load_model(run).params.items():
        np.testing.assert_array_equal(np.asarray(leaf), np.asarray(expected[path]))
    shutil.copytree(finished.path, tmp_path / "whole")
    with pytest.raises(T5MixError, match=r"start_from: None there"):
        train_experiment(experiment_of(tmp_path / "whole", moved))


def test_a_merged_model_computes_the_same(runs: Path, tmp_path: Path, finished: Any):
    merged = merge_delta(runs / "lora", tmp_path / "merged")
    assert base_of(merged) is None
    assert saved_shapes(merged).keys() == saved_shapes(finished.path / "checkpoints" / "6").keys()
    assert answers(tmp_path / "merged") == answers(runs / "lora")
    one = merge_delta(runs / "bank", tmp_path / "copy", task="copy")
    assert answers(one) == answers(runs / "bank", "copy")


@pytest.mark.usefixtures("data")
def test_a_merged_model_is_a_start_for_others(runs: Path, experiment_of: Make, tmp_path: Path):
    merge_delta(runs / "lora", tmp_path / "merged")
    experiment = experiment_of(tmp_path / "run", f"start_from={tmp_path / 'merged'}", "training.steps=1")
    assert train_experiment(experiment).finished


def test_one_task_comes_out_of_a_bank_alone(runs: Path, tmp_path: Path, base: Path):
    path = extract_task(runs / "bank", tmp_path / "alone", "first")
    assert all("/tasks/first/" in leaf for leaf in saved_shapes(path))
    assert inspect_checkpoint(path).saved == inspect_checkpoint(runs / "bank").saved / 2
    assert base_of(path) == base_of(runs / "bank" / "checkpoints" / "6")
    whole, alone = load_model(runs / "bank"), load_model(path)
    for leaf, value in alone.params.items():
        np.testing.assert_array_equal(np.asarray(value), np.asarray(whole.params[leaf]))
    assert answers(path, "first") == answers(runs / "bank", "first")
    with pytest.raises(T5MixError, match=r"no modules for the task 'copy'\. It has them for first"):
        answers(path, "copy")


def test_a_task_is_added_without_touching_the_others(
    runs: Path, data: Any, experiment_of: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    alone = extract_task(runs / "bank", tmp_path / "copy", "copy")
    data.manifest = dataclasses.replace(data.manifest, tasks=(data.manifest.task("first"),))
    train_experiment(experiment_of(tmp_path / "more", *BANK, f"start_from={alone}", "mixture=[first]"))
    before, after = load_model(alone), load_model(tmp_path / "more")
    for path, leaf in before.params.items():
        np.testing.assert_array_equal(np.asarray(after.params[path]), np.asarray(leaf))
    assert answers(tmp_path / "more", "copy") == answers(alone, "copy")
    added = tmp_path / "more" / "checkpoints" / "6"
    assert base_of(added) == base_of(alone)
    assert {path.split("/tasks/")[1].split("/")[0] for path in saved_shapes(added)} == {"copy", "first"}


@pytest.mark.usefixtures("data")
def test_what_cannot_be_done_is_said(runs: Path, base: Path, tmp_path: Path, experiment_of: Make, finished: Any):
    (tmp_path / "there").mkdir()
    with pytest.raises(T5MixError, match="exists already"):
        merge_delta(runs / "lora", tmp_path / "there")
    with pytest.raises(T5MixError, match=r"Name a task of it \(--task\): copy, first"):
        merge_delta(runs / "bank", tmp_path / "m")
    with pytest.raises(T5MixError, match=r"no modules for the task 'cola'\. It has them for copy, first"):
        merge_delta(runs / "bank", tmp_path / "m", task="cola")
    with pytest.raises(T5MixError, match="nothing of 'copy' alone"):
        merge_delta(runs / "lora", tmp_path / "m", task="copy")
    with pytest.raises(T5MixError, match="'full' adds cannot be merged"):
        merge_delta(base, tmp_path / "m")
    with pytest.raises(T5MixError, match="holds no bank"):
        extract_task(runs / "lora", tmp_path / "m", "copy")
    with pytest.raises(T5MixError, match="Say which is to answer"):
        answers(runs / "bank")
    with pytest.raises(T5MixError, match=r"finetuning=lora added.*for which finetuning=full has no place"):
        train_experiment(experiment_of(tmp_path / "run", f"start_from={runs / 'lora'}"))
    other = experiment_of(
        tmp_path / "run", BANK[0], "finetuning.policy={kind:lora,rank:3}", f"start_from={runs / 'bank'}"
    )
    with pytest.raises(T5MixError, match=r"start_from holds a bank of .*rank=2.*this one is of .*rank=3"):
        train_experiment(other)
    astray = experiment_of(tmp_path / "run", "finetuning=regex", "finetuning.train=['decodr/.*']")
    with pytest.raises(T5MixError, match=r"'decodr/\.\*' matches no parameter\. The nearest are"):
        train_experiment(astray)
    assert not (tmp_path / "run").exists()
