import contextlib
import dataclasses
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from t5mix.data.manifest import DataManifest
from t5mix.data.token_store import open_store
from t5mix.decoding import GenerationConfig
from t5mix.errors import T5MixError
from t5mix.evaluation.generate import score_choices
from t5mix.evaluation.predictions import predictions_path, read_predictions
from t5mix.metrics.example_scores import ExampleScores, TaskEvaluation
from t5mix.runs import evaluate
from t5mix.runs.evaluate import evaluate_run
from t5mix.runs.load import checkpoint_of, load_model
from t5mix.tracking.run_directory import RunDirectory


def test_the_losses_are_those_of_the_run(finished: Any, data: Any, tiny: Any):
    scores = evaluate_run(finished.path)
    last = [line for line in tiny.logged(finished.path) if line["kind"] == "evaluation"][-1]
    assert scores.keys() == last["tasks"].keys()
    assert all(evaluation.headline is None for evaluation in scores.values())
    for task, values in last["tasks"].items():
        assert scores[task].metrics["loss"] == pytest.approx(values["loss"], abs=1e-5)
        assert scores[task].metrics["token_accuracy"] == pytest.approx(100 * values["token_accuracy"], abs=1e-4)
    assert data.requests == []


def test_a_split_that_the_run_did_not_prepare_is_prepared(finished: Any, data: Any):
    with pytest.raises(T5MixError, match=r"None of the tasks has a split 'test'\. There are train and validation\."):
        evaluate_run(finished.path, split="test")
    assert [(request.mixture, request.splits) for request in data.requests] == [(("copy", "first"), ("train", "test"))]


def with_splits(manifest: DataManifest, **splits: tuple[str, ...]) -> DataManifest:
    """Returns a manifest of tasks that have these splits, and of which no others are prepared."""
    tasks = [
        dataclasses.replace(
            task,
            splits={name: entry for name, entry in task.splits.items() if name in splits[task.name]},
            all_splits=splits[task.name],
        )
        for task in manifest.tasks
    ]
    return dataclasses.replace(manifest, tasks=tuple(tasks))


def test_a_split_that_no_task_has_is_refused_before_any_work(finished: Any, data: Any, monkeypatch: Any):
    manifest = with_splits(data.manifest, copy=("train", "validation"), first=("train", "dev"))
    monkeypatch.setattr(RunDirectory, "manifest", lambda _: manifest)
    monkeypatch.setattr(evaluate, "load_model", lambda *_: pytest.fail("the model was loaded"))
    with pytest.raises(T5MixError, match=r"has a split 'test'\. There are train, validation and dev\."):
        evaluate_run(finished.path, split="test")
    with pytest.raises(T5MixError, match=r"has a split 'validation'\. There are train and dev\."):
        evaluate_run(finished.path, tasks=["first"])
    assert data.requests == []


def test_tasks_that_lack_the_split_are_named(finished: Any, data: Any, monkeypatch: Any):
    manifest = with_splits(data.manifest, copy=("train",), first=("train", "validation"))
    monkeypatch.setattr(RunDirectory, "manifest", lambda _: manifest)
    whole, notices = evaluate_run(finished.path, tasks=["first"]), list[str]()
    assert evaluate_run(finished.path, notice=notices.append) == whole
    assert notices == ["no validation split: copy"]


def test_only_the_named_tasks_are_prepared(finished: Any, data: Any, monkeypatch: Any):
    """The second task alone is asked for; it keeps the number that it has in the run."""
    whole = evaluate_run(finished.path)["first"]
    manifest = with_splits(data.manifest, copy=("train", "validation"), first=("train", "validation"))
    unprepared = dataclasses.replace(
        manifest,
        tasks=tuple(dataclasses.replace(task, splits={"train": task.splits["train"]}) for task in manifest.tasks),
    )
    monkeypatch.setattr(RunDirectory, "manifest", lambda _: unprepared)
    data.manifest = dataclasses.replace(data.manifest, tasks=manifest.tasks[1:])
    evaluated, evaluate_losses = list[int](), evaluate.evaluate_losses

    def noted(sums: Any, stores: dict[int, Any], *rest: Any, **options: Any) -> Any:
        evaluated.extend(stores)
        return evaluate_losses(sums, stores, *rest, **options)

    monkeypatch.setattr(evaluate, "evaluate_losses", noted)
    scores = evaluate_run(finished.path, tasks=["first"])
    assert scores.keys() == {"first"}
    assert scores["first"].metrics == pytest.approx(whole.metrics, rel=1e-5)
    assert evaluated == [1]
    assert [request.mixture for request in data.requests] == [("first",)]


def test_tasks_can_be_chosen(finished: Any, data: Any):
    assert evaluate_run(finished.path, tasks=["first"], which="first").keys() == {"first"}
    with pytest.raises(T5MixError, match=r"Unknown task 'frist'\. Did you mean 'first'"):
        evaluate_run(finished.path, tasks=["frist"])


def test_likelihoods_go_to_the_metrics_that_ask_for_them(
    finished: Any, data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    run = tmp_path / "run"
    shutil.copytree(finished.path, run)
    manifest = json.loads((run / "data_manifest.json").read_text("utf-8"))
    manifest["tasks"][0] |= {"metrics": ["likelihood"], "likelihoods": True}
    (run / "data_manifest.json").write_text(json.dumps(manifest), "utf-8")
    own = TaskEvaluation({"likelihood": 50.0}, {"likelihood": ExampleScores.of_means([0, 1])})
    scorer = SimpleNamespace(score=lambda *_: {"copy": own})
    monkeypatch.setattr(evaluate, "Scorer", lambda request: contextlib.nullcontext(scorer))
    found = evaluate_run(run)["copy"]
    assert list(found.metrics) == ["loss", "token_accuracy", "likelihood"]
    assert found.metrics["likelihood"] == 50.0
    assert (found.headline, found.examples) == ("likelihood", own.examples)
    predictions = read_predictions(predictions_path(run / "predictions" / "6", "copy", "validation"))
    likelihoods = [prediction.target_log_prob for prediction in predictions]
    tokens = manifest["tasks"][0]["splits"]["validation"]["counts"]["target_tokens"]
    assert -sum(value for value in likelihoods if value) / tokens == pytest.approx(found.metrics["loss"], rel=1e-4)


def test_nothing_is_generated_for_likelihoods_alone(finished: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run = tmp_path / "run"
    shutil.copytree(finished.path, run)
    manifest = json.loads((run / "data_manifest.json").read_text("utf-8"))
    manifest["tasks"][0] |= {"metrics": ["perplexity", "bits_per_byte"], "likelihoods": True}
    (run / "data_manifest.json").write_text(json.dumps(manifest), "utf-8")
    own = TaskEvaluation({"perplexity": 9.0})
    scorer = SimpleNamespace(score=lambda *_: {"copy": own})
    monkeypatch.setattr(evaluate, "Scorer", lambda request: contextlib.nullcontext(scorer))
    monkeypatch.setattr(evaluate, "generate", lambda *_, **__: pytest.fail("a text was generated"))
    evaluation = evaluate_run(run, tasks=["copy"])["copy"]
    assert (list(evaluation.metrics), evaluation.headline) == (["loss", "token_accuracy", "perplexity"], None)
    predictions = read_predictions(predictions_path(run / "predictions" / "6", "copy", "validation"))
    assert {prediction.prediction for prediction in predictions} == {""}
    assert all(prediction.target_log_prob for prediction in predictions)


def test_labels_are_scored_for_the_metrics_that_choose(finished: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As the model finds them likely on their own; text is generated if another metric asks for it."""
    run = tmp_path / "run"
    shutil.copytree(finished.path, run)
    manifest = json.loads((run / "data_manifest.json").read_text("utf-8"))
    choices, first = {"a": [4, 1], "ab": [4, 5, 1], "cde": [6, 7, 8, 1]}, {"z": [9, 1], "a": [4, 1], "ab": [4, 5, 1]}
    manifest["tasks"][0] |= {"metrics": ["choice_accuracy"], "choices": choices}
    manifest["tasks"][1] |= {"metrics": ["choice_accuracy", "accuracy"], "choices": first}
    (run / "data_manifest.json").write_text(json.dumps(manifest), "utf-8")
    own = {name: TaskEvaluation({"choice_accuracy": 50.0}) for name in ("copy", "first")}
    scorer = SimpleNamespace(score=lambda *_: own)
    monkeypatch.setattr(evaluate, "Scorer", lambda request: contextlib.nullcontext(scorer))
    generated, generate = list[str](), evaluate.generate
    monkeypatch.setattr(
        evaluate, "generate", lambda *some, label, **rest: generated.append(label) or generate(*some, **rest)
    )
    assert evaluate_run(run)["copy"].headline == "choice_accuracy"
    assert generated == ["first"]
    folder = run / "predictions" / "6"
    found = {}
    for task, listed in (("copy", choices), ("first", first)):
        predictions = read_predictions(predictions_path(folder, task, "validation"))
        scores = [prediction.choice_log_probs or {} for prediction in predictions]
        assert [list(each) for each in scores] == [[*listed]] * len(predictions)
        found[task] = [each["ab"] for each in scores]
    store = open_store(Path(manifest["tasks"][0]["splits"]["validation"]["path"]))
    model = load_model(checkpoint_of(run, "latest"), None)
    expected = score_choices(model.graphdef, model.params, store, [[4, 5, 1]], batch_size=2, task_id=0)
    np.testing.assert_allclose(found["copy"], expected[:, 0], rtol=1e-4)


def test_answers_are_decoded_as_the_experiment_says(finished: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run = tmp_path / "run"
    shutil.copytree(finished.path, run)
    recorded = json.loads((run / "experiment.json").read_text("utf-8"))
    recorded["experiment"]["evaluation"]["generation"] = {"num_beams": 3, "early_stopping": "never"}
    (run / "experiment.json").write_text(json.dumps(recorded), "utf-8")
    manifest = json.loads((run / "data_manifest.json").read_text("utf-8"))
    manifest["tasks"][0]["metrics"] = ["accuracy"]
    (run / "data_manifest.json").write_text(json.dumps(manifest), "utf-8")
    used = []

    def generate(graphdef: Any, params: Any, store: Any, *, generation: Any, **options: Any) -> list[np.ndarray]:
        used.append((generation, options["max_length"]))
        return [np.array([4], np.int32)] * len(store)

    scorer = SimpleNamespace(score=lambda *_: {})
    monkeypatch.setattr(evaluate, "Scorer", lambda request: contextlib.nullcontext(scorer))
    monkeypatch.setattr(evaluate, "generate", generate)
    evaluate_run(run)
    longest = recorded["experiment"]["lengths"]["targets"]
    assert {*used} == {(GenerationConfig(num_beams=3, early_stopping="never"), longest)}


def test_the_training_split_of_a_streamed_task_is_refused(finished: Any, data: Any):
    copy, first = data.manifest.tasks
    manifest = dataclasses.replace(data.manifest, tasks=(copy, dataclasses.replace(first, shards_per_epoch=4)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunDirectory, "manifest", lambda _: manifest)
        patch.setattr(type(manifest), "stores_exist", lambda _: True)
        with pytest.raises(T5MixError, match="training split of first is streamed"):
            evaluate_run(finished.path, split="train")


def test_what_is_no_run_is_refused(tmp_path: Any):
    with pytest.raises(T5MixError, match="is no run of t5mix"):
        evaluate_run(tmp_path)
