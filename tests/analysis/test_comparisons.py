"""The headline: means, differences, and what is shown after Holm's correction."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from t5mix.analysis.analysis import Analysis, analyze
from t5mix.analysis.comparisons import compare_methods, headline_columns
from t5mix.analysis.results import read_results
from t5mix.analysis.scores import Study, TaskScores
from t5mix.analysis.statistics import resample
from t5mix.errors import T5MixError, UnknownNameError
from t5mix.sweep.spec import read_sweep

Make = Callable[..., Path]


def by_hand(sweep_folder: Path, method: str, task: str, metric: str) -> dict[int, float]:
    """A method's scores by seed, read from the files."""
    raws = [json.loads(path.read_text(encoding="utf-8")) for path in (sweep_folder / "trials").iterdir()]
    return {
        raw["seed"]: raw["scores"]["test"][task]["metrics"][metric]
        for raw in raws
        if raw["method"] == method and task in raw["scores"].get("test", {})
    }


def test_means_and_differences_by_hand(sweep_folder: Path, analysis: Analysis):
    scores = {name: by_hand(sweep_folder, name, "demo_sentiment", "accuracy") for name in analysis.results.methods}
    others = {name: by_hand(sweep_folder, name, "demo_entailment", "accuracy") for name in analysis.results.methods}
    for name, entries in analysis.headline.entries.items():
        sentences = {seed: (value + others[name][seed]) / 2 for seed, value in scores[name].items()}
        assert entries["Sentences"].mean.value == pytest.approx(np.mean(list(sentences.values())))
        if name == "full":
            continue
        difference = entries["Sentences"].difference
        assert difference is not None
        full = {seed: (value + others["full"][seed]) / 2 for seed, value in scores["full"].items()}
        assert difference.value == pytest.approx(np.mean([value - full[seed] for seed, value in sentences.items()]))
        assert difference.seeds == (2 if name == "lora, r=8" else 3)


def test_what_is_shown_is_what_holms_correction_leaves(analysis: Analysis):
    table = analysis.headline
    entries = [table.entries[method][column] for method in table.others for column in table.columns]
    p_values = [entry.difference.p_value() for entry in entries if entry.difference is not None]
    order = np.argsort(p_values)
    rejected = set()
    for step, index in enumerate(order):
        if p_values[index] * (len(p_values) - step) > 0.05:
            break
        rejected.add(index)
    assert 0 < len(rejected) < len(entries)
    for index, entry in enumerate(entries):
        assert entry.difference is not None
        assert (entry.better or entry.worse) == (index in rejected)
        assert entry.better == (index in rejected and entry.difference.value > 0)
    assert [method for method in table.others if table.entries[method]["Pairs"].better] == ["odm"]
    # "adapter" on "Pairs" is not; uncorrected, its interval would tell the same, but not that of every method.
    assert not table.entries["adapter"]["Pairs"].worse


def test_the_reference_is_compared_with_nothing(analysis: Analysis):
    entry = analysis.headline.entries["full"]["Pairs"]
    assert (entry.difference, entry.better, entry.worse) == (None, False, False)


def test_what_cannot_be_tested_counts_in_the_family():
    values = np.random.default_rng(0).standard_normal((3, 4, 30)) + np.array([0, 1, 0])[:, None, None]
    values[2, 1:] = np.nan
    study = Study(("a", "b", "c"), (0, 1, 2, 3), {"x": TaskScores.of_means(values)})
    table = compare_methods(resample(study, 200), "a", {"x": {"x": 1.0}})
    difference = table.entries["b"]["x"].difference
    assert difference is not None
    assert table.entries["b"]["x"].corrected == pytest.approx(min(1, 2 * (difference.p_value() or 0)))
    assert table.entries["c"]["x"].corrected == 1.0
    assert table.reasons == ["an interval needs 2 seeds or more; there are 1"]


def sweep(**fields: Any) -> Any:
    return read_sweep({"name": "s", "config": "c", "methods": {"a": {}}, **fields})


def test_columns_are_the_declared_ones_or_the_average_and_the_tasks():
    tasks = {"x": None, "y": None}
    both = {"x": {"x": 1.0}, "y": {"y": 1.0}}
    assert headline_columns(sweep(), tasks) == {"average": {"x": 1.0, "y": 1.0}, **both}
    assert headline_columns(sweep(), {"x": None}) == {"x": {"x": 1.0}}
    assert headline_columns(sweep(columns={"A": {"tasks": ["y"]}}), tasks) == {"A": {"y": 1.0}}
    with pytest.raises(UnknownNameError, match=r"Unknown task 'z'.*columns\.A of sweep\.json"):
        headline_columns(sweep(columns={"A": {"tasks": ["z"]}}), tasks)


def test_an_inner_list_of_a_column_counts_as_one_task(make_sweep_folder: Make):
    pair = {"tasks": ["demo_sentiment", ["demo_entailment", "demo_paraphrase"]]}
    metrics = {"demo_sentiment": "accuracy", "demo_entailment": "accuracy", "demo_paraphrase": "f1"}
    sweep_folder = make_sweep_folder(metrics=metrics, fields={"columns": {"A": pair}})
    tasks = [by_hand(sweep_folder, "lora", task, metric) for task, metric in metrics.items()]
    expected = [one / 2 + (two + three) / 4 for one, two, three in zip(*(task.values() for task in tasks), strict=True)]
    analysis = analyze(read_results(sweep_folder))
    assert analysis.headline.entries["lora"]["A"].mean.value == pytest.approx(np.mean(expected))
    assert list(analysis.headline.columns["A"]) == list(metrics)
    with pytest.raises(UnknownNameError, match=r"Unknown task 'z'.*columns\.A of sweep\.json"):
        headline_columns(sweep(columns={"A": {"tasks": [["x", "z"]]}}), {"x": None})


def test_transfer_is_against_the_method_that_trains_alone(sweep_folder: Path, analysis: Analysis):
    assert analysis.transfer is not None
    assert analysis.transfer.reference == "alone"
    odm, alone = (by_hand(sweep_folder, name, "demo_paraphrase", "f1") for name in ("odm", "alone"))
    difference = analysis.transfer.entries["odm"]["demo_paraphrase"].difference
    assert difference is not None
    assert difference.value == pytest.approx(np.mean([odm[seed] - alone[seed] for seed in odm]))


# What a reader must know ------------------------------------------------------------------------------


def test_notes_tell_of_missing_trials_and_edges(analysis: Analysis):
    first, second = analysis.notes
    assert first.startswith("1 of 21 trials to be reported is missing, 1 of them failed")
    assert second.startswith("“lora, r=8”: the best learning rate lies at the edge of the grid")


def test_one_seed_is_noted(make_sweep_folder: Make):
    analysis = analyze(read_results(make_sweep_folder(seeds=(0,))))
    assert any(note.startswith("There is one seed") for note in analysis.notes)
    assert analysis.headline.reasons == ["an interval needs 2 seeds or more; there are 1"]


@pytest.mark.parametrize(("seeds", "noted"), [((0, 1), True), ((0, 1, 2), False)])
def test_two_seeds_are_noted(make_sweep_folder: Make, seeds: tuple[int, ...], noted: bool):
    analysis = analyze(read_results(make_sweep_folder(seeds=seeds)))
    assert any(note.startswith("There are two seeds: ") for note in analysis.notes) == noted


def test_an_open_learning_rate_is_noted(make_sweep_folder: Make):
    sweep_folder = make_sweep_folder()
    (sweep_folder / "choices.json").unlink()
    next(path for path in (sweep_folder / "trials").iterdir() if path.name.startswith("lora-0-0.001")).unlink()
    analysis = analyze(read_results(sweep_folder))
    assert any(note == "The learning rate of “lora” is not chosen yet: not reported." for note in analysis.notes)
    assert np.isnan(analysis.headline.entries["lora"]["average"].mean.value)


def test_other_data_and_other_hardware_are_noted(make_sweep_folder: Make, edit_json: Callable[..., None]):
    sweep_folder = make_sweep_folder()
    path = next(path for path in (sweep_folder / "trials").iterdir() if path.name.startswith("lora-2"))

    def change(raw: dict[str, Any]) -> None:
        raw["data"]["tasks"][0]["splits"]["test"]["fingerprint"] = "other"
        raw["data"]["tasks"][1]["splits"]["train"]["fingerprint"] = "differs with the seed"
        raw["hardware"]["device"] = "H200"

    edit_json(path, change)
    notes = analyze(read_results(sweep_folder)).notes
    assert [note[:40] for note in notes] == [
        "Trials were scored on other data of demo",
        "Trials ran on different hardware: their ",
    ]
    assert "demo_sentiment" in notes[0]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"reference": "c"}, r"sweep\.json: reference is 'c'; the methods are full, batch_size=8; lora, batch_size=8"),
        (
            {"hypotheses": {"H": {"claim": "x", "better": "a", "worse": "b"}}},
            r"sweep\.json: hypotheses\.H\.better is 'a'",
        ),
        (
            {
                "hypotheses": {
                    "H": {
                        "claim": "x",
                        "better": "full, batch_size=8",
                        "worse": "lora, batch_size=8",
                        "minus_tasks": ["z"],
                    }
                }
            },
            r"Unknown task 'z'.*hypotheses\.H\.minus_tasks of",
        ),
    ],
)
def test_names_in_the_sweep_that_stand_for_nothing_are_refused(fields: dict, message: str, make_sweep_folder: Make):
    """Where there is a grid, methods go by the names of its points."""
    sweep_folder = make_sweep_folder(levels={"full, batch_size=8": 1.0, "lora, batch_size=8": 0.5})
    raw = json.loads((sweep_folder / "sweep.json").read_text(encoding="utf-8"))
    methods = {name.partition(",")[0]: method for name, method in raw["sweep"]["methods"].items()}
    raw["sweep"] |= {"methods": methods, "grid": {"training.batch_size": [8]}, **fields}
    (sweep_folder / "sweep.json").write_text(json.dumps(raw), encoding="utf-8")
    with pytest.raises(T5MixError, match=message):
        analyze(read_results(sweep_folder))
