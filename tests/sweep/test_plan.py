"""From a sweep file to runs: what is shared, what is tuned, what is refused before anything starts."""

import dataclasses
import functools
from pathlib import Path
from typing import Any

import pytest
import yaml

from t5mix.cli.sweep import find_sweep_file
from t5mix.config.composer import Composer
from t5mix.errors import T5MixError
from t5mix.sweep import plan
from t5mix.sweep.estimate import estimate_sweep
from t5mix.sweep.executors import CoresPerRun
from t5mix.sweep.plan import SweepPlanner, plan_trials
from t5mix.sweep.planned_runs import experiment_in, with_ancestors
from t5mix.sweep.spec import RENAMED_KEYS, read_sweep
from t5mix.sweep.sweep_file import load_sweep

SWEEP: dict[str, Any] = {
    "name": "small",
    "config": "experiment",
    "settings": ["mixture=[copy,first]", "training.steps=10"],
    "shared_runs": [["training.steps=30"]],
    "methods": {
        "full": {},
        "lora": {"runs": [["finetuning=lora"]], "learning_rates": [0.01]},
    },
    "seeds": [0, 1],
    "tuning": {"learning_rates": [0.003, 0.001]},
}


_composer = functools.cache(Composer)


@pytest.fixture(autouse=True)
def _compose_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What two tests compose alike is composed once: Hydra takes a fifth of a second for it."""
    monkeypatch.setattr(plan, "Composer", _composer)


def planned(**changes: Any) -> tuple[SweepPlanner, list[Any]]:
    planner = SweepPlanner(read_sweep({**SWEEP, **changes}))
    return planner, plan_trials(planner)


def test_trials_that_begin_alike_share_their_runs():
    planner, trials = planned()
    (shared,) = (run for run in planner.runs.values() if run.parent is None)
    assert shared.steps == 30
    assert {run.parent for run in planner.runs.values()} == {None, shared.id}
    # full: two rates with seed 0, one with seed 1; lora: one rate with each seed.
    assert len(planner.runs) == 1 + 3 + 2
    assert {(t.method, t.seed, t.learning_rate) for t in trials} == {
        *(("full", 0, 0.001), ("full", 0, 0.003), ("full", 1, 0.003), ("lora", 0, 0.01), ("lora", 1, 0.01))
    }


def test_a_beginning_may_be_made_anew_for_each_seed():
    planner, _ = planned(seeded_shared_runs=True)
    begun = [run for run in planner.runs.values() if run.parent is None]
    assert sorted(run.overrides[-1] for run in begun) == ["seed=0", "seed=1"]


def test_a_method_may_begin_from_nothing_and_have_several_runs():
    methods = {
        "scratch": {"from_scratch": True},
        "then": {"runs": [["mixture=[copy]", "training.steps=5"], ["mixture=[first]"]]},
    }
    planner, trials = planned(methods=methods, seeds=[0], tuning=None)
    by_method = {trial.method: planner.runs[trial.run] for trial in trials}
    assert by_method["scratch"].parent is None
    middle = planner.runs[by_method["then"].parent or ""]
    assert (middle.steps, by_method["then"].steps) == (5, 10)
    assert planner.runs[middle.parent or ""].steps == 30


def test_a_method_may_train_each_task_apart():
    methods = {"leave one out": {"per_task_runs": True, "runs": [["mixture=[{others}]"], ["mixture=[{task}]"]]}}
    planner, trials = planned(methods=methods, seeds=[0], tuning=None, tasks=["copy", "first", "third"])
    assert [trial.task for trial in trials] == ["copy", "first", "third"]
    last = planner.runs[trials[0].run]
    assert "mixture=[copy]" in last.overrides
    assert "mixture=[first,third]" in planner.runs[last.parent or ""].overrides


def test_a_grid_multiplies_the_methods():
    planner, _ = planned(methods={"lora": {"runs": [["finetuning=lora"]]}}, grid={"finetuning.rank": [2, 4]})
    assert list(planner.sweep.variants) == ["lora, rank=2", "lora, rank=4"]
    ranks = {setting for run in planner.runs.values() for setting in run.overrides if "rank" in setting}
    assert ranks == {"finetuning.rank=2", "finetuning.rank=4"}


def test_settings_that_change_together_multiply_the_methods_by_their_positions():
    together = {"finetuning.rank": [2, 4], "finetuning.alpha": [4, 8]}
    lora = {"lora": {"runs": [["finetuning=lora"]]}}
    planner, _ = planned(methods=lora, zip=together)
    assert list(planner.sweep.variants) == ["lora, rank=2, alpha=4", "lora, rank=4, alpha=8"]
    pairs = {run.overrides[-5:-3] for run in planner.runs.values() if run.parent is not None}
    assert pairs == {("finetuning.rank=2", "finetuning.alpha=4"), ("finetuning.rank=4", "finetuning.alpha=8")}
    planner, _ = planned(methods=lora, zip=together, grid={"training.batch_size": [8, 16]})
    assert list(planner.sweep.variants) == [
        *("lora, batch_size=8, rank=2, alpha=4", "lora, batch_size=8, rank=4, alpha=8"),
        *("lora, batch_size=16, rank=2, alpha=4", "lora, batch_size=16, rank=4, alpha=8"),
    ]


def test_runs_come_after_those_they_start_from():
    planner, trials = planned()
    ordered = with_ancestors(planner.runs, [trial.run for trial in trials])
    assert len(ordered) == len(planner.runs)
    positions = {run.id: position for position, run in enumerate(ordered)}
    assert all(run.parent is None or positions[run.parent] < positions[run.id] for run in ordered)


def test_folders_are_filled_in_at_last():
    planner, trials = planned()
    run = planner.runs[trials[0].run]
    experiment = experiment_in(Path("out/runs"), run, planner.runs)
    assert experiment.run_dir == f"out/runs/{run.folder}"
    assert experiment.start_from == f"out/runs/{planner.runs[run.parent or ''].folder}"
    assert "~" not in experiment.store_dir


def test_all_but_fresh_methods_start_from_a_checkpoint_that_is_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    looked_for: list[str | None] = []
    monkeypatch.setattr(plan, "starting_checkpoint", lambda experiment: looked_for.append(experiment.start_from))
    monkeypatch.chdir(tmp_path)
    two = {"runs": [["training.batch_size=4"], ["start_from=elsewhere"]]}  # what its first run leaves takes its place
    methods = {"full": {}, "two": two, "other": {"runs": [["start_from=other"]]}, "scratch": {"from_scratch": True}}
    planner, trials = planned(methods=methods, seeds=[0], tuning=None, shared_runs=[], start_from='my runs/base="1"')

    starts = {}
    for trial in trials:
        first, *later = with_ancestors(planner.runs, [trial.run])
        starts[trial.method] = experiment_in(Path("runs"), first, planner.runs).start_from
        assert [experiment_in(Path("runs"), run, planner.runs).start_from for run in later] == [
            f"runs/{planner.runs[run.parent or ''].folder}" for run in later
        ]
    base = str(tmp_path / 'my runs/base="1"')
    assert starts == {"full": base, "two": base, "other": str(tmp_path / "other"), "scratch": None}
    assert set(looked_for) - {None} == {'my runs/base="1"', "other"}

    planner, trials = planned(methods={"full": {}}, seeds=[0], tuning=None, start_from="base")
    shared, last = with_ancestors(planner.runs, [trials[0].run])
    assert experiment_in(Path("runs"), shared, planner.runs).start_from == str(tmp_path / "base")
    assert experiment_in(Path("runs"), last, planner.runs).start_from == f"runs/{shared.folder}"


def test_identity_is_of_what_is_computed():
    same, other = planned()[0], planned(settings=[*SWEEP["settings"], "training.batch_size=8"])[0]
    assert planned()[0].runs.keys() == same.runs.keys()
    assert planned(settings=[*SWEEP["settings"], "mesh.data=-1"])[0].runs.keys() == same.runs.keys()
    assert not other.runs.keys() & same.runs.keys()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": {}}, r"unknown key 'method'\. Did you mean methods"),
        ({"methods": {}}, r"methods is empty"),
        ({"methods": {"a": {"run": []}}}, r"unknown key 'methods\.a\.run'"),
        ({"seeds": [0, 0]}, r"seeds is \[0, 0\]"),
        ({"tuning": {"learning_rates": [0.1, -1.0]}}, r"has -1\.0: rates are above 0"),
        (
            {"methods": {"a": {"per_task_runs": True, "runs": [["mixture=[{task}]"]]}}},
            r"methods with per_task_runs need to know",
        ),
        ({"methods": {"a": {"per_task_runs": True}}}, r"the last run does not depend on \{task\}"),
        (
            {"hypotheses": {"H": {"claim": "c", "better": "full", "worse": "adapter"}}},
            r"hypotheses\.H\.worse is 'adapter'",
        ),
        ({"name": "a b"}, r"letters, digits"),
        ({"zip": {"a": [1, 2], "b": [3]}}, r"zip needs equally many values of each setting, and has 2 of a, 1 of b"),
        ({"zip": {"a": []}}, r"grid or zip has a setting without values"),
        ({"zip": {"a": [1]}, "grid": {"a": [2]}}, r"grid and zip both have a"),
        ({"metrics": {"copy": []}}, r"metrics\.copy is \[\]: name at least one"),
        ({"metrics": {"copy": ["f1", "f1"]}}, r"metrics\.copy is \['f1', 'f1'\]: .* each once"),
        ({"columns": {"A": {"tasks": []}}}, r"tasks is empty"),
        ({"columns": {"A": {"tasks": ["copy", []]}}}, r"or holds an empty list"),
        ({"columns": {"A": {"tasks": ["copy", ["first", "copy"]]}}}, r"names a task twice: copy, first, copy"),
        ({"config": None}, r"config is None"),
    ],
)
def test_a_wrong_file_is_explained(change: dict[str, Any], message: str):
    with pytest.raises(T5MixError, match=message):
        read_sweep({**SWEEP, **change})


@pytest.mark.parametrize(("old", "new"), RENAMED_KEYS.items())
def test_a_key_of_another_name_is_refused_with_the_new_one(old: str, new: str):
    claim = {"claim": "c", "better": "full", "worse": "lora"}
    inside = {
        "fresh": {"methods": {"a": {"fresh": True}}},
        "each_task": {"methods": {"a": {"each_task": True}}},
        "than_on": {"hypotheses": {"H": {**claim, "than_on": ["copy"]}}},
    }
    with pytest.raises(T5MixError, match=rf"unknown key '[\w.]*\b{old}'\. It is called [\w.]*\b{new} now\."):
        read_sweep({**SWEEP, **inside.get(old, {old: []})})


def test_variants_have_labels_for_people_and_ids_for_files():
    changes = {"methods": {"a b": {}, "a_b": {"runs": [["mixture=[copy]"]]}}, "grid": {"finetuning": ["full", None]}}
    variants = read_sweep({**SWEEP, **changes}).variants
    assert list(variants) == [f"{name}, finetuning={value}" for name in ("a b", "a_b") for value in ("full", None)]
    assert [variant.id for variant in variants.values()] == [
        *("a_b_finetuning=full", "a_b_finetuning=None", "a_b_finetuning=full-2", "a_b_finetuning=None-2")
    ]
    assert variants["a b, finetuning=None"].settings == ("finetuning=null",)
    assert variants["a b, finetuning=full"].learning_rates == (0.001, 0.003)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"methods": {"a": {"runs": [["finetunning=lora"]]}}}, r"a: Unknown configuration key 'finetunning'"),
        ({"methods": {"a": {"runs": [["finetuning=lorra"]]}}}, r"a: .*lorra"),
        ({"grid": {"training.batch_size": [8, -1]}}, r"full, batch_size=-1: training\.batch_size is -1"),
        ({"methods": {"a": {}, "b": {}}}, r"'a' and 'b' are the same runs"),
        ({"config": "experimnt"}, r"Did you mean 'experiment'"),
        ({"start_from": "nowhere"}, r"shared: nowhere is no run of t5mix: there is no such folder"),
        (
            {"methods": {"a": {"from_scratch": True, "runs": [["start_from=b"]]}}},
            r"a: from_scratch is set, but .*start_from=b: keep one",
        ),
    ],
)
def test_a_wrong_trial_is_refused_before_the_first_starts(change: dict[str, Any], message: str):
    with pytest.raises(T5MixError, match=message):
        planned(**change)


def test_a_scale_changes_what_it_names(tmp_path: Path):
    file = tmp_path / "sweep.yaml"

    file.write_text(
        yaml.safe_dump({**SWEEP, "scales": {"tiny": {"settings": ["training.steps=2"], "seeds": [3]}}}),
        encoding="utf-8",
    )
    assert load_sweep(file).seeds == (0, 1)
    tiny = load_sweep(file, "tiny")
    assert tiny.seeds == (3,)
    assert tiny.settings == (*SWEEP["settings"], "training.steps=2")
    with pytest.raises(T5MixError, match=r"Unknown scale 'tinny'\. Did you mean 'tiny'"):
        load_sweep(file, "tinny")
    with pytest.raises(T5MixError, match="There is no sweep file"):
        load_sweep(tmp_path / "none.yaml")
    raw = yaml.safe_load(file.read_text(encoding="utf-8"))
    file.write_text(yaml.safe_dump({**raw, "scale": "tiny"}), encoding="utf-8")
    assert load_sweep(file) == tiny
    raw["scales"]["real"] = {"config": None}
    file.write_text(yaml.safe_dump(raw), encoding="utf-8")
    with pytest.raises(T5MixError, match=r"for tasks of your own at the scale 'real': name the file"):
        load_sweep(file, "real")
    assert load_sweep(file, "real", {"config": "mine.yaml"}).config == "mine.yaml"
    file.write_text("- a\n", encoding="utf-8")
    with pytest.raises(T5MixError, match="holds no sweep"):
        load_sweep(file)


@pytest.mark.parametrize("name", ["table10", "table11", "table12"])
@pytest.mark.parametrize("scale", ["tiny", "demo", "real"])
def test_the_package_has_the_papers_tables_at_every_scale(name: str, scale: str):
    real = {"config": "demo", "tasks": ["demo_qa", "demo_sentiment"], "settings": ["mixture=[demo]"]}
    sweep = load_sweep(find_sweep_file(name), scale, real if scale == "real" else {})
    planner = SweepPlanner(dataclasses.replace(sweep, seeds=(0, 1), tuning=None))
    assert {trial.method for trial in plan_trials(planner)} == set(planner.sweep.variants)


@pytest.mark.parametrize("name", ["table10", "table11", "table12"])
def test_the_papers_own_scale_is_settings_of_the_same_file(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(plan, "training_phases", lambda _: None)  # slow for large models, and tested with small ones
    monkeypatch.setattr(plan, "check_request", lambda _: None)  # T5's vocabulary is not there
    others = {"cnn_dailymail": "CNNDM", "squad": "SQuAD", "super_glue": "SGLUE", "wmt14_ende": "EnDe"}
    mnli = ["glue_mnli_matched", "glue_mnli_mismatched"]
    glue = [f"glue_{task}" for task in ("cola", "sst2", "mrpc", "stsb", "qqp", "qnli", "rte")]
    tasks = [*glue, *mnli, *others]
    experiment = {
        "defaults": ["experiment", {"override model": "t5_base"}, "_self_"],
        "run_dir": "runs/paper",
        "vocabulary": "spiece.model",
        "mixture": tasks,
        "lengths": {"inputs": 512, "targets": 512},
        "training": {"steps": 2**18, "batch_size": 128},
    }
    (tmp_path / "paper.yaml").write_text(yaml.safe_dump(experiment), encoding="utf-8")
    fields = {
        "config": str(tmp_path / "paper.yaml"),
        "tasks": tasks,
        "columns": {
            "GLUE": {"tasks": [*glue, mnli], "paper": "GLUE"},
            **{task: {"tasks": [task], "paper": column} for task, column in others.items()},
        },
        "metrics": {
            "glue_mrpc": ["f1", "accuracy"],
            "glue_stsb": ["pearson", "spearman"],
            "glue_qqp": ["f1", "accuracy"],
        },
    }
    sweep = load_sweep(find_sweep_file(name), "real", fields)
    assert sweep.columns["GLUE"].weights == {**dict.fromkeys(glue, 1.0), **dict.fromkeys(mnli, 0.5)}
    planner = SweepPlanner(dataclasses.replace(sweep, seeds=(0,), tuning=None))
    trials = plan_trials(planner)
    assert {trial.method for trial in trials} == set(planner.sweep.variants)
    for trial in trials:
        run = planner.runs[trial.run].experiment
        assert (run.model.d_model, run.model.num_layers, run.batch_shape.inputs) == (768, 12, 512)
    assert estimate_sweep(planner, trials[:1], CoresPerRun(1, 1), 1).disk_bytes > 3 * 4 * 220e6
