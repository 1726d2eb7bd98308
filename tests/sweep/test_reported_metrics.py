"""Which metrics of a task are reported."""

import dataclasses

import pytest

from t5mix.errors import T5MixError, UnknownNameError
from t5mix.metrics.example_scores import TaskEvaluation
from t5mix.sweep.reported_metrics import has_score, mean_score, reported_metrics
from t5mix.sweep.spec import read_sweep

SWEEP = read_sweep(
    {
        "name": "s",
        "config": "c",
        "methods": {"a": {}},
        "metrics": {"qa": "em", "mrpc": ["f1", "accuracy"]},
        "tasks": ["qa", "copy"],
    }
)
OWN = {"loss": 1.0, "token_accuracy": 2.0, "f1": 3.0, "em": 4.0, "accuracy": 8.0}
FORCED = {"loss": 1.0, "token_accuracy": 2.0}


def test_the_first_of_a_tasks_own_metrics_is_reported_unless_the_sweep_names_others():
    assert reported_metrics(SWEEP, "other", OWN) == ("f1",)
    assert reported_metrics(SWEEP, "qa", OWN) == ("em",)
    assert reported_metrics(SWEEP, "mrpc", OWN) == ("f1", "accuracy")
    with pytest.raises(UnknownNameError, match="metric of the task 'mrpc' 'accuracy'"):
        reported_metrics(SWEEP, "mrpc", {"f1": 3.0})


def test_a_metric_of_which_less_is_better_is_refused():
    sweep = dataclasses.replace(SWEEP, metrics={"notes": ("perplexity",)})
    with pytest.raises(T5MixError, match=r"reports 'perplexity' of the task 'notes', of which less is better"):
        reported_metrics(sweep, "notes", {**FORCED, "perplexity": 9.0})


def test_what_comes_of_likelihoods_alone_is_no_score():
    assert has_score(["perplexity", "accuracy"])
    assert not has_score(["perplexity", "bits_per_byte"])
    assert reported_metrics(SWEEP, "other", {**FORCED, "perplexity": 9.0}) == ()


def test_a_task_without_metrics_of_its_own_is_reported_only_if_asked_for():
    assert reported_metrics(SWEEP, "other", FORCED) == ()
    assert reported_metrics(SWEEP, "copy", FORCED) == ("token_accuracy",)


def test_learning_rates_are_chosen_by_what_is_reported():
    assert mean_score(SWEEP, {"other": TaskEvaluation(OWN)}) == 3.0
    assert mean_score(SWEEP, {"mrpc": TaskEvaluation(OWN)}) == 5.5
    assert mean_score(SWEEP, {"other": TaskEvaluation(OWN), "mrpc": TaskEvaluation(OWN)}) == 4.25
    with pytest.raises(T5MixError, match="The task 'other' has no metric to be reported; there are loss, token_acc"):
        mean_score(SWEEP, {"other": TaskEvaluation(FORCED)})
