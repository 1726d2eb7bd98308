import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from t5mix.errors import T5MixError
from t5mix.evaluation.predictions import predictions_path, read_predictions
from t5mix.metrics.example_scores import ExampleScores, TaskEvaluation
from t5mix.runs import evaluate
from t5mix.runs.evaluate import evaluate_run
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
    with pytest.raises(T5MixError, match="None of the tasks has a split 'test'"):
        evaluate_run(finished.path, split="test")
    assert [request.splits for request in data.requests] == [("train", "test")]


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
    monkeypatch.setattr(evaluate, "score_in_subprocess", lambda *_: {"copy": own})
    found = evaluate_run(run)["copy"]
    assert list(found.metrics) == ["loss", "token_accuracy", "likelihood"]
    assert found.metrics["likelihood"] == 50.0
    assert (found.headline, found.examples) == ("likelihood", own.examples)
    predictions = read_predictions(predictions_path(run / "predictions" / "6", "copy", "validation"))
    likelihoods = [prediction.target_log_prob for prediction in predictions]
    tokens = manifest["tasks"][0]["splits"]["validation"]["counts"]["target_tokens"]
    assert -sum(value for value in likelihoods if value) / tokens == pytest.approx(found.metrics["loss"], rel=1e-4)


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
