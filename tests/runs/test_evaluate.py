from typing import Any

import pytest

from t5mix.errors import T5MixError
from t5mix.runs.evaluate import evaluate_run


def test_the_losses_are_those_of_the_run(finished: Any, data: Any, tiny: Any):
    scores = evaluate_run(finished.path)
    last = [line for line in tiny.logged(finished.path) if line["kind"] == "evaluation"][-1]
    assert scores.keys() == last["tasks"].keys()
    for task, values in last["tasks"].items():
        assert scores[task]["loss"] == pytest.approx(values["loss"], abs=1e-5)
        assert scores[task]["token_accuracy"] == pytest.approx(100 * values["token_accuracy"], abs=1e-4)
    assert data.requests == []


def test_a_split_that_the_run_did_not_prepare_is_prepared(finished: Any, data: Any):
    with pytest.raises(T5MixError, match="None of the tasks has a split 'test'"):
        evaluate_run(finished.path, split="test")
    assert [request.splits for request in data.requests] == [("train", "test")]


def test_tasks_can_be_chosen(finished: Any, data: Any):
    assert evaluate_run(finished.path, tasks=["first"], which="first").keys() == {"first"}
    with pytest.raises(T5MixError, match=r"Unknown task 'frist'\. Did you mean 'first'"):
        evaluate_run(finished.path, tasks=["frist"])


def test_what_is_no_run_is_refused(tmp_path: Any):
    with pytest.raises(T5MixError, match="is no run of t5mix"):
        evaluate_run(tmp_path)
