"""From trials to the study: metrics, rows and what is missing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from t5mix.analysis.results import read_results
from t5mix.analysis.statistics import resample
from t5mix.analysis.study import read_study
from t5mix.errors import T5MixError
from t5mix.metrics.example_scores import ExampleScores

Make = Callable[..., Path]
Edit = Callable[[Path, Callable[[dict[str, Any]], Any]], None]


def reported(sweep_folder: Path) -> list[Path]:
    return [path for path in sorted((sweep_folder / "trials").iterdir()) if "-0.002-" in path.name]


def test_the_study_holds_what_the_trials_say(sweep_folder: Path):
    headlines = read_study(read_results(sweep_folder))
    accuracy = {"demo_sentiment": ("accuracy",), "demo_entailment": ("accuracy",)}
    assert headlines.metrics == {**accuracy, "demo_paraphrase": ("f1",)}
    assert headlines.study.methods == ("full", "lora, r=8", "adapter", "odm", "alone")
    assert headlines.notes == ()
    for path in (sweep_folder / "trials").iterdir():
        raw = json.loads(path.read_text(encoding="utf-8"))
        for task, score in raw["scores"].get("test", {}).items():
            value = headlines.study.tasks[task].values[headlines.study.index(raw["method"]), raw["seed"]]
            (metric,) = headlines.metrics[task]
            assert value == pytest.approx(score["metrics"][metric])
    missing = np.isnan(headlines.study.tasks["demo_sentiment"].values)
    assert np.argwhere(missing).tolist() == [[1, 1]]


def test_a_named_metric_is_reported(make_sweep_folder: Make):
    headlines = read_study(read_results(make_sweep_folder(fields={"metrics": {"demo_paraphrase": "accuracy"}})))
    assert headlines.metrics["demo_paraphrase"] == ("accuracy",)


# Several metrics of a task ----------------------------------------------------------------------------

BOTH = {"metrics": {"demo_paraphrase": ["f1", "accuracy"]}}


def means(sweep_folder: Path, method: str, split: str = "test") -> dict[float, list[float]]:
    """The mean of both metrics of a method's trials, seed by seed, by learning rate."""
    by_rate: dict[float, list[float]] = {}
    for path in sorted((sweep_folder / "trials").iterdir()):
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw["method"] == method and split in raw["scores"]:
            metrics = raw["scores"][split]["demo_paraphrase"]["metrics"]
            by_rate.setdefault(raw["learning_rate"], []).append((metrics["f1"] + metrics["accuracy"]) / 2)
    return by_rate


def test_several_metrics_of_a_task_are_averaged(make_sweep_folder: Make):
    sweep_folder = make_sweep_folder(fields=BOTH)
    headlines = read_study(read_results(sweep_folder))
    assert headlines.metrics["demo_paraphrase"] == ("f1", "accuracy")
    assert headlines.notes == ()
    assert headlines.study.tasks["demo_paraphrase"].values[0] == pytest.approx(means(sweep_folder, "full")[0.002])


def test_draws_of_the_examples_take_both_metrics_from_the_same_ones(make_sweep_folder: Make):
    sweep_folder = make_sweep_folder(fields=BOTH)
    scores = read_study(read_results(sweep_folder)).study.tasks["demo_paraphrase"]
    raw = json.loads(reported(sweep_folder)[0].read_text(encoding="utf-8"))["scores"]["test"]["demo_paraphrase"][
        "examples"
    ]
    drawn = np.random.default_rng(0).integers(200, size=200)
    parts = [ExampleScores.from_json(raw[metric]) for metric in ("f1", "accuracy")]
    expected = np.mean([ExampleScores(part.kind, part.rows[drawn]).value() for part in parts])
    assert scores.metric(scores.rows[0, 0, drawn].sum(axis=0)) == pytest.approx(expected)
    resampled = resample(read_study(read_results(sweep_folder)).study, 200)
    assert resampled.mean("full", "demo_paraphrase").interval() is not None


def test_learning_rates_are_chosen_by_the_mean_of_several_metrics(make_sweep_folder: Make, edit_json: Edit):
    sweep_folder = make_sweep_folder(fields={**BOTH, "tasks": ["demo_paraphrase"]})
    (sweep_folder / "choices.json").unlink()
    for path in (sweep_folder / "trials").iterdir():
        edit_json(path, lambda raw: [tasks.pop("demo_sentiment") for tasks in raw["scores"].values()])
    scores = read_results(sweep_folder).choices["full"].scores
    assert scores == pytest.approx({rate: of[0] for rate, of in means(sweep_folder, "full", "validation").items()})


def test_metrics_of_different_units_have_a_mean_but_no_interval(make_sweep_folder: Make, edit_json: Edit):
    sweep_folder = make_sweep_folder(fields=BOTH)
    for path in reported(sweep_folder):
        edit_json(
            path, lambda raw: raw["scores"]["test"]["demo_paraphrase"]["examples"]["accuracy"]["rows"].__delitem__(0)
        )
    headlines = read_study(read_results(sweep_folder))
    expected = "No intervals with demo_paraphrase: its f1 and accuracy are counted over different units: 200 and 199."
    assert headlines.notes == (expected,)
    assert headlines.study.tasks["demo_paraphrase"].values[0] == pytest.approx(means(sweep_folder, "full")[0.002])
    assert resample(headlines.study, 50).mean("full", "demo_paraphrase").reason == "a task has a single example"


def test_one_metric_without_examples_leaves_the_mean_without_an_interval(make_sweep_folder: Make, edit_json: Edit):
    sweep_folder = make_sweep_folder(fields=BOTH)
    for path in reported(sweep_folder):
        edit_json(path, lambda raw: raw["scores"]["test"]["demo_paraphrase"]["examples"].pop("f1"))
    headlines = read_study(read_results(sweep_folder))
    assert headlines.notes == ("No intervals with demo_paraphrase: its f1 is not known example by example.",)
    assert headlines.study.tasks["demo_paraphrase"].values[0] == pytest.approx(means(sweep_folder, "full")[0.002])


# What is missing or cannot be -------------------------------------------------------------------------


def test_a_metric_without_examples_has_values_but_no_interval(make_sweep_folder: Make, edit_json: Edit):
    sweep_folder = make_sweep_folder()
    for path in reported(sweep_folder):
        edit_json(path, lambda raw: raw["scores"]["test"]["demo_sentiment"]["examples"].clear())
    headlines = read_study(read_results(sweep_folder))
    assert headlines.notes == ("No intervals with demo_sentiment: its accuracy is not known example by example.",)
    resampled = resample(headlines.study, 50)
    raw = [
        json.loads(path.read_text(encoding="utf-8")) for path in reported(sweep_folder) if path.name.startswith("full")
    ]
    values = [one["scores"]["test"]["demo_sentiment"]["metrics"]["accuracy"] for one in raw]
    assert resampled.mean("full", "demo_sentiment").value == pytest.approx(np.mean(values))
    assert resampled.mean("full", "demo_sentiment").reason == "a task has a single example"
    assert resampled.mean("full", "demo_paraphrase").reason == ""


def test_a_task_that_no_trial_has_yet_is_missing_everywhere(make_sweep_folder: Make):
    sweep_folder = make_sweep_folder(levels={"full": 1.0, "alone": 0.5}, single_task_baseline="alone")
    for path in (sweep_folder / "trials").iterdir():
        if path.name.startswith("full") or "paraphrase" in path.name:
            path.unlink()
    headlines = read_study(read_results(sweep_folder))
    assert np.isnan(headlines.study.tasks["demo_paraphrase"].values).all()
    assert resample(headlines.study, 50).mean("alone", "demo_paraphrase").seeds == 0
    assert resample(headlines.study, 50).mean("alone", "demo_sentiment").seeds == 3


def test_examples_that_disagree_with_the_metric_are_noted(make_sweep_folder: Make, edit_json: Edit):
    sweep_folder = make_sweep_folder()
    edit_json(
        reported(sweep_folder)[0], lambda raw: raw["scores"]["test"]["demo_sentiment"]["metrics"].update(accuracy=1.0)
    )
    (note,) = read_study(read_results(sweep_folder)).notes
    assert note.startswith("The examples of demo_sentiment give another accuracy")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda score: score["examples"]["accuracy"]["rows"].pop(),
            "scored other examples of the task 'demo_sentiment'",
        ),
        (lambda score: score["examples"]["accuracy"].update(rows=[["a"]]), "are no table of numbers"),
        (lambda score: score["examples"]["accuracy"].update(rows=[]), "have the shape"),
        (lambda score: score["metrics"].pop("accuracy"), "has no 'accuracy' of the task 'demo_sentiment'"),
    ],
)
def test_what_cannot_be_compared_is_refused(change: Any, message: str, make_sweep_folder: Make, edit_json: Edit):
    sweep_folder = make_sweep_folder()
    edit_json(reported(sweep_folder)[2], lambda raw: change(raw["scores"]["test"]["demo_sentiment"]))
    with pytest.raises(T5MixError, match=message):
        read_study(read_results(sweep_folder))


def test_an_unknown_kind_of_example_scores_is_refused(make_sweep_folder: Make, edit_json: Edit):
    sweep_folder = make_sweep_folder()
    for path in reported(sweep_folder):
        edit_json(path, lambda raw: raw["scores"]["test"]["demo_sentiment"]["examples"]["accuracy"].update(kind="man"))
    with pytest.raises(T5MixError, match=r"full-0.*Unknown kind of example scores 'man'. Did you mean 'mean'"):
        read_study(read_results(sweep_folder))


def test_a_sweep_with_nothing_to_report_yet(make_sweep_folder: Make):
    sweep_folder = make_sweep_folder()
    for path in reported(sweep_folder):
        path.unlink()
    with pytest.raises(T5MixError, match="has scores on the split 'test' yet; finished so far: 4"):
        read_study(read_results(sweep_folder))
