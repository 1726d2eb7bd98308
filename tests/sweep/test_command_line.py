from pathlib import Path
from typing import Any

import pytest
import yaml

from t5mix.errors import T5MixError
from t5mix.sweep.command_line import with_precedence
from t5mix.sweep.plan import SweepPlanner, plan_trials
from t5mix.sweep.sweep_file import load_sweep

SWEEP: dict[str, Any] = {
    "name": "small",
    "config": "experiment",
    "settings": ["mixture=[copy,first]", "training.steps=10"],
    "shared_runs": [["training.steps=30", "mixing=temperature", "mixing.temperature=2"]],
    "method_settings": ["training.steps=20", "schedule.warmup_steps=5"],
    "methods": {"full": {}, "lora": {"runs": [["finetuning=lora", "finetuning.rank=2"]]}},
    "grid": {"training.batch_size": [8, 16]},
    "tuning": {"learning_rates": [0.001, 0.002]},
    "seeds": [0],
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(SWEEP), encoding="utf-8")
    return path


def test_a_setting_of_the_command_line_holds_for_every_run(file: Path):
    planner = SweepPlanner(load_sweep(file, changes={"settings": ["training.steps=50"]}))
    plan_trials(planner)
    assert {run.steps for run in planner.runs.values()} == {50}
    assert all(run.experiment.to_json()["schedule"]["warmup_steps"] == 5 for run in planner.runs.values() if run.parent)


def test_so_does_a_whole_group_or_one_setting_within_what_the_file_sets_as_a_whole():
    raw = {"method_settings": ["training={steps: 20}", "seed=1"], "shared_runs": [["mixing.temperature=2"], ["seed=1"]]}
    settings = ["training.steps=50", "mixing=equal"]
    assert with_precedence(raw, settings) == {
        "settings": settings,
        "method_settings": ["training={steps: 20}", "seed=1", "training.steps=50"],
        "shared_runs": [["mixing=equal"], ["seed=1"]],
    }


def test_without_one_the_file_stays_as_it_is():
    assert with_precedence(SWEEP, ()) == SWEEP


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("training.batch_size=4", "the sweep's grid varies training.batch_size"),
        ("schedule.learning_rate=1", "tuning chooses it. Write tuning=null"),
        ("seed=3", r"seed=3 would change nothing: .* write seeds=\[0,1,2\]"),
        ("run_dir=here", "run_dir=here would change nothing: .* choose this one with --out"),
    ],
)
def test_what_would_change_nothing_is_refused(file: Path, setting: str, reason: str):
    with pytest.raises(T5MixError, match=reason):
        load_sweep(file, changes={"settings": [setting]})


def test_methods_that_set_the_same_themselves_are_named(file: Path):
    lines: list[str] = []
    load_sweep(file, changes={"settings": ["finetuning=adapter", "seed_of_nothing=1"]}, tell=lines.append)
    assert lines == ["finetuning=adapter does not hold for “lora”: their own runs set finetuning."]
    only_lora = {"methods": ["lora"], "settings": ["finetuning.rank=8"]}
    with pytest.raises(T5MixError, match=r"finetuning\.rank=8 would change nothing: every method's own runs set"):
        load_sweep(file, changes=only_lora)
