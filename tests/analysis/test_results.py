"""Reading a sweep's folder: which trials are reported, which are missing, and what is refused."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from t5mix.analysis.analysis import analyze
from t5mix.analysis.results import ReportedTrial, Results, read_results
from t5mix.errors import T5MixError
from t5mix.sweep.spec import read_sweep

Make = Callable[..., Path]
Edit = Callable[[Path, Callable[[dict[str, Any]], Any]], None]


def trial_file(sweep_folder: Path, start: str) -> Path:
    return next(path for path in sorted((sweep_folder / "trials").iterdir()) if path.name.startswith(start))


# Which trials are reported ----------------------------------------------------------------------------


def test_the_trials_with_the_chosen_rate_and_the_sweeps_seeds_are_reported(sweep_folder: Path):
    results = read_results(sweep_folder)
    assert len(results.expected) == 4 * 3 + 3 * 3
    assert set(results.expected) - set(results.reported) == {ReportedTrial("lora, r=8", 1, None)}
    rates = {name: {trial.learning_rate for trial in results.trials_of(name)} for name in results.methods}
    assert rates == {"full": {0.002}, "lora, r=8": {0.008}, "adapter": {0.002}, "odm": {0.002}, "alone": {0.002}}
    assert {trial.task for trial in results.trials_of("alone")} == {
        "demo_sentiment",
        "demo_entailment",
        "demo_paraphrase",
    }


def test_a_failed_trial_is_told_from_one_that_has_not_run(sweep_folder: Path, make_sweep_folder: Make):
    results = read_results(sweep_folder)
    failure = results.failure(ReportedTrial("lora, r=8", 1, None))
    assert failure is not None
    assert failure.why.endswith("the loss is NaN at step 40")
    unfinished = make_sweep_folder()
    trial_file(unfinished, "full-2").unlink()
    results = read_results(unfinished)
    assert set(results.expected) - set(results.reported) == {ReportedTrial("full", 2, None)}
    assert results.failure(ReportedTrial("full", 2, None)) is None


def test_a_trial_that_failed_and_then_succeeded_is_no_failure(make_sweep_folder: Make):
    sweep_folder = make_sweep_folder()
    key = {"method": "full", "seed": 1, "learning_rate": 0.002, "task": None}
    (sweep_folder / "failed" / "x.json").write_text(json.dumps({**key, "why": "killed"}), encoding="utf-8")
    assert read_results(sweep_folder).failures == ()


def test_a_run_that_trials_start_from_may_have_failed(make_sweep_folder: Make):
    sweep_folder = make_sweep_folder()
    content = {"run": {"id": "1", "folder": "runs/shared-1"}, "status": 1, "why": "no", "log": "l", "command": "c"}
    (sweep_folder / "failed" / "shared-1.json").write_text(json.dumps(content), encoding="utf-8")
    (failure,) = read_results(sweep_folder).failures
    assert (failure.method, failure.run.folder) == (None, "runs/shared-1")


def test_drafts_are_no_trials(make_sweep_folder: Make):
    sweep_folder = make_sweep_folder()
    (sweep_folder / "trials" / ".full.json").write_text("{", encoding="utf-8")
    assert read_results(sweep_folder).trials


def test_methods_at_a_grid_have_their_values():
    raw = {
        "name": "s",
        "config": "demo",
        "methods": {"a": {}, "b": {}},
        "grid": {"mixing.temperature": [2, 4], "training.packing": [True, False], "finetuning": ["full", None]},
    }
    sweep = read_sweep(raw)
    results = Results(Path(), sweep, raw, (), (), {})
    assert list(results.methods) == list(sweep.variants)
    assert len(results.methods) == 2 * 2 * 2 * 2
    assert "a, temperature=2, packing=True, finetuning=full" in results.methods


# Learning rates ---------------------------------------------------------------------------------------


def test_before_the_sweep_ends_rates_are_chosen_by_its_rule(make_sweep_folder: Make):
    sweep_folder = make_sweep_folder(edge="lora")
    written = read_results(sweep_folder).choices
    (sweep_folder / "choices.json").unlink()
    computed = read_results(sweep_folder).choices
    assert computed.keys() == written.keys() == {"full", "lora"}
    for name, choice in computed.items():
        assert choice.learning_rate == written[name].learning_rate
        assert choice.scores == pytest.approx(dict(written[name].scores))
        assert (tuple(choice.extended), choice.at_edge) == (tuple(written[name].extended), written[name].at_edge)
    assert (computed["lora"].learning_rate, computed["lora"].extended, computed["lora"].at_edge) == (
        0.008,
        (0.008,),
        True,
    )


def test_a_rate_is_open_while_a_tuning_trial_is_missing(make_sweep_folder: Make):
    sweep_folder = make_sweep_folder()
    (sweep_folder / "choices.json").unlink()
    trial_file(sweep_folder, "lora-0-0.001").unlink()
    results = read_results(sweep_folder)
    assert results.chosen_rates == {"full": 0.002}
    assert results.trials_of("lora") == []


def test_a_rate_that_failed_is_not_chosen(make_sweep_folder: Make):
    sweep_folder = make_sweep_folder()
    (sweep_folder / "choices.json").unlink()
    trial_file(sweep_folder, "lora-0-0.001").unlink()
    key = {"method": "lora", "seed": 0, "learning_rate": 0.001, "task": None}
    (sweep_folder / "failed" / "x.json").write_text(json.dumps(key), encoding="utf-8")
    assert read_results(sweep_folder).chosen_rates == {"full": 0.002, "lora": 0.002}


def test_a_method_all_of_whose_rates_failed_has_none(make_sweep_folder: Make, edit_json: Edit):
    sweep_folder = make_sweep_folder()
    edit_json(sweep_folder / "choices.json", lambda raw: raw["lora"].update(learning_rate=None, scores={"0.001": None}))
    results = read_results(sweep_folder)
    assert results.chosen_rates == {"full": 0.002}
    assert results.choices["lora"].scores == {0.001: -math.inf}
    assert "All learning rates of “lora” failed: not reported." in analyze(results).notes


def test_without_tuning_all_trials_are_reported(make_sweep_folder: Make):
    results = read_results(make_sweep_folder(fields={"tuning": None}))
    assert results.chosen_rates == {"full": None, "lora": None}
    assert len(results.reported) == 6


# What is refused --------------------------------------------------------------------------------------


def test_a_folder_that_is_no_sweeps(tmp_path: Path):
    with pytest.raises(T5MixError, match=r"is no sweep's folder: it holds no sweep\.json"):
        read_results(tmp_path)


def test_a_sweep_without_a_finished_trial(make_sweep_folder: Make):
    sweep_folder = make_sweep_folder(failed=("full", 1))
    for path in (sweep_folder / "trials").iterdir():
        path.unlink()
    with pytest.raises(T5MixError, match=r"No trial of .* has finished yet.* 1 failed: see .*failed.* Run the sweep"):
        read_results(sweep_folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: raw.pop("seed"), r"full-0.*json: seed: field required"),
        (lambda raw: raw.update(seed="x"), r"json: seed: input should be a valid integer"),
        (lambda raw: raw.update(format=2), r"json is of format 2, and this t5mix reads format 1"),
        (lambda raw: raw["scores"]["test"]["demo_sentiment"].pop("metrics"), r"scores\.test\.demo_sentiment\.metrics"),
    ],
)
def test_a_trial_that_cannot_be_read_is_named(change: Any, message: str, make_sweep_folder: Make, edit_json: Edit):
    sweep_folder = make_sweep_folder()
    edit_json(trial_file(sweep_folder, "full-0-0.002"), change)
    with pytest.raises(T5MixError, match=message):
        read_results(sweep_folder)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("trials/full.json", '{"format": 1', r"full\.json is no JSON: .*Move it away and run the sweep again"),
        ("trials/full.json", "[]", r"full\.json holds no JSON object"),
        ("trials/full.json", "\udcff", r"full\.json is no JSON"),
        ("sweep.json", '{"a": 1}', r"sweep\.json does not say which sweep"),
        ("sweep.json", '{"sweep": {"name": "a"}}', r"sweep\.json: config is not set"),
        ("choices.json", '{"full": {}}', r"choices\.json does not say how learning rates were chosen"),
        ("choices.json", '{"full": 3}', r"choices\.json does not say how learning rates were chosen"),
        ("failed/full.json", '{"seed": "x"}', r"failed/full\.json: seed"),
    ],
)
def test_broken_files_are_named(name: str, text: str, message: str, make_sweep_folder: Make):
    sweep_folder = make_sweep_folder()
    (sweep_folder / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(T5MixError, match=message):
        read_results(sweep_folder)


def test_the_same_trial_twice_is_refused(make_sweep_folder: Make):
    sweep_folder = make_sweep_folder()
    path = trial_file(sweep_folder, "full-1")
    path.with_name("zcopy.json").write_bytes(path.read_bytes())
    with pytest.raises(T5MixError, match=r"full-1.*zcopy\.json hold the same trial"):
        _ = read_results(sweep_folder).reported
