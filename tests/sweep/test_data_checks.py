"""What a sweep is refused for once its data is known. The data is made up."""

from collections.abc import Mapping
from typing import Any

import pytest

from t5mix.data.manifest import DataManifest, DataRequest, StoreEntry, TaskEntry, VocabularyEntry
from t5mix.data.token_store import StoreCounts
from t5mix.errors import T5MixError, UnknownNameError
from t5mix.sweep import data_checks, plan
from t5mix.sweep.data_checks import check_data, data_splits, value_names
from t5mix.sweep.plan import SweepPlanner, plan_trials
from t5mix.sweep.spec import read_sweep

SWEEP: dict[str, Any] = {
    "name": "small",
    "config": "experiment",
    "settings": ["training.steps=10"],
    "methods": {
        "one": {"runs": [["mixture=[sentiment]"]]},
        "both": {"runs": [["mixture=[sentiment,qa]"]]},
    },
    "seeds": [0, 1],
    "split": "test",
}
SPLITS = ("train", "validation", "test")


def entry(name: str, *metrics: str, splits: tuple[str, ...] = SPLITS) -> TaskEntry:
    store = StoreEntry("path", "fingerprint", StoreCounts(examples=4, input_tokens=8, target_tokens=4))
    return TaskEntry(name, False, dict.fromkeys(splits, store), metrics)


TASKS = {task.name: task for task in (entry("sentiment", "accuracy"), entry("qa", "squad"))}


class Prepare:
    """Prepares nothing, and remembers what was asked for."""

    def __init__(self, tasks: Mapping[str, TaskEntry]) -> None:
        self.tasks, self.requests = tasks, list[DataRequest]()

    def __call__(self, request: DataRequest) -> DataManifest:
        self.requests.append(request)
        entries = tuple(self.tasks[name] for name in request.mixture)
        return DataManifest(request, VocabularyEntry("bytes", "", "", 100, 384), entries)


def check(tasks: Mapping[str, TaskEntry] = TASKS, /, **changes: Any) -> list[DataRequest]:
    planner, prepare = SweepPlanner(read_sweep({**SWEEP, **changes})), Prepare(tasks)
    check_data(planner, plan_trials(planner), prepare)
    return prepare.requests


def claim(**fields: Any) -> dict[str, Any]:
    return {"H": {"claim": "c", "better": "both", "worse": "one", **fields}}


def test_data_has_the_vocabulary_of_the_checkpoint_that_runs_start_from(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(plan, "starting_checkpoint", lambda experiment: None)
    monkeypatch.setattr(data_checks, "starting_folder", lambda path: path / "checkpoints" / "9")
    monkeypatch.setattr(data_checks, "vocabulary_of", lambda checkpoint: f"that of {checkpoint}")
    one, both = SWEEP["methods"].values()
    methods = {"one": one, "both": {**both, "from_scratch": True}}
    requests = check(start_from="base", shared_runs=[["mixture=[sentiment]"]], methods=methods)
    assert [request.start_vocabulary for request in requests] == ["that of base/checkpoints/9", None]


def test_runs_that_want_their_data_alike_are_prepared_together():
    (request,) = check()
    assert request.mixture == ("sentiment", "qa")
    assert request.splits == SPLITS
    longer = {**SWEEP["methods"], "longer": {"runs": [["mixture=[qa]", "lengths.inputs=32"]]}}
    first, second = check(methods=longer)
    assert (first.mixture, second.mixture) == (("sentiment", "qa"), ("qa",))
    assert second.inputs_length == 32


def test_the_splits_are_those_of_training_tuning_and_report():
    assert data_splits(read_sweep({**SWEEP, "split": "validation"})) == ("train", "validation")
    tuning = {"learning_rates": [0.1], "split": "dev"}
    assert data_splits(read_sweep({**SWEEP, "tuning": tuning})) == ("train", "validation", "dev", "test")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metrics": {"qa": "emm"}}, r"Unknown metric of the task 'qa' 'emm'\. Did you mean 'em'"),
        ({"metrics": {"qa": ["f1", "accuracy"]}}, r"Unknown metric of the task 'qa' 'accuracy'"),
        ({"metrics": {"qua": "em"}}, r"Unknown task 'qua'\. Did you mean 'qa'\? The sweep reports no other"),
        ({"columns": {"A": {"tasks": ["sentiment", "qua"]}}}, r"Unknown task 'qua'"),
        ({"columns": {"A": {"tasks": [["sentiment", "qua"]]}}}, r"Unknown task 'qua'"),
        ({"hypotheses": claim(tasks=["qua"])}, r"Unknown task 'qua'"),
        ({"hypotheses": claim(minus_tasks=["qua"])}, r"Unknown task 'qua'"),
        ({"tasks": ["sentiment"], "columns": {"A": {"tasks": ["qa"]}}}, r"Unknown task 'qa'.*reports no other"),
        ({"tasks": ["sentiment", "third"]}, r"Unknown task 'third'.*The runs train no other"),
    ],
)
def test_an_unknown_name_is_refused(changes: dict[str, Any], message: str):
    with pytest.raises(UnknownNameError, match=message):
        check(**changes)


def test_names_of_what_is_there_are_not_refused():
    columns = {"A": {"tasks": [["sentiment", "qa"]]}}
    assert check(
        metrics={"qa": ["f1", "em"]}, columns=columns, hypotheses=claim(tasks=["qa"], minus_tasks=["sentiment"])
    )


def test_a_task_needs_the_split_that_is_reported():
    with pytest.raises(T5MixError, match=r"The task 'qa' has no split 'test'; it has train, validation\."):
        check({**TASKS, "qa": entry("qa", "squad", splits=("train", "validation"))})


def test_a_task_without_a_metric_is_left_out_unless_it_is_to_be_reported():
    tasks = {**TASKS, "qa": entry("qa")}
    assert check(tasks)
    with pytest.raises(T5MixError, match=r"The task 'qa' has no metric, and the sweep reports it"):
        check(tasks, tasks=["sentiment", "qa"])
    assert check({**TASKS, "qa": entry("qa", "perplexity")})
    with pytest.raises(T5MixError, match=r"None of the tasks has a metric: sentiment, qa\."):
        check({"sentiment": entry("sentiment"), "qa": entry("qa")})


def test_choices_are_reported_like_any_other_metric():
    tasks = {**TASKS, "qa": entry("qa", "accuracy", "choice_accuracy")}
    assert check(tasks, metrics={"qa": "choice_accuracy"})
    with pytest.raises(UnknownNameError, match="'choice_accuracy_by_token'"):
        check(tasks, metrics={"qa": "choice_accuracy_by_token"})
    assert check({**TASKS, "qa": entry("qa", "choice_accuracy")})


def test_what_a_metric_of_ones_own_gives_is_not_known_beforehand():
    assert value_names(("accuracy", "my_own")) is None
    assert value_names(("f1:yes", "rouge:tokenizer=unicode", "chrf"))[:2] == ["f1:yes", "rouge2:tokenizer=unicode"]
    assert check({**TASKS, "qa": entry("qa", "my_own")}, metrics={"qa": "anything"})
