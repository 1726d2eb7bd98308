"""What data a run is evaluated on: which splits and files are asked for; the preparing worker runs in this process."""

from pathlib import Path
from typing import Any

import pytest

from t5mix.cache.prepare_worker import prepare
from t5mix.config.compose import compose_experiment
from t5mix.config.experiment import Experiment
from t5mix.config.reading import read_experiment
from t5mix.config.recorded import DATA_KEYS, with_settings
from t5mix.data.manifest import DataRequest
from t5mix.errors import T5MixError
from t5mix.runs import evaluation_data as module
from t5mix.runs.engine_ahead import EngineAhead
from t5mix.runs.evaluation_data import EvaluationData, evaluation_data
from t5mix.runs.train import train_experiment
from t5mix.tracking.run_directory import RunDirectory
from tests.support.letters import letters_config

ROWS = "text\tlabel\na\t1\nb\t0\n"


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[DataRequest]:
    made: list[DataRequest] = []

    def prepared(request: DataRequest, **_: Any) -> Any:
        made.append(request)
        return prepare(request, quiet=True)

    monkeypatch.setattr(module, "prepare_in_subprocess", prepared)
    return made


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    """A run on files named relative to the folder that it was started in."""
    monkeypatch.chdir(tmp_path)
    unlabelled = {"test": "text\nc\n", "hidden": "text\tlabel\nc\t-1\n"}
    for split, rows in {"train": ROWS, "validation": ROWS, **unlabelled}.items():
        (tmp_path / f"{split}.tsv").write_text(rows)
    config = letters_config("steps: 4, batch_size: 4", splits=["train", "validation", "test", "hidden"])
    (tmp_path / "own.yaml").write_text(config)
    experiment = read_experiment(compose_experiment("own.yaml", [f"store_dir={tmp_path / 'stores'}"]))
    directory = RunDirectory(tmp_path / "run")
    directory.claim(experiment.to_json(), {}, prepare(experiment.data_request(), quiet=True))
    return directory


def found(run: RunDirectory, split: str, *settings: str, **options: Any) -> EvaluationData:
    experiment: Experiment = read_experiment(with_settings(run.experiment(), settings, DATA_KEYS))
    return evaluation_data(run, experiment, split, as_recorded=not settings, **options)


def test_the_stores_of_the_run_serve_where_they_are(run: RunDirectory, requests: list[DataRequest]):
    assert found(run, "validation").manifest == run.manifest()
    assert requests == []


def test_new_files_take_the_place_of_a_split_or_make_one(
    run: RunDirectory, requests: list[DataRequest], tmp_path: Path
):
    (tmp_path / "new, again.tsv").write_text(ROWS + "c\t1\n")
    for split in ("validation", "test", "fresh"):
        (task,) = found(run, split, f"tasks.letters.files.{split}=new, again.tsv").tasks
        assert task.splits[split].counts.examples == 3
    assert [request.splits for request in requests] == [("validation",), ("test",), ("fresh",)]


@pytest.mark.parametrize("split", ["test", "hidden"])
def test_a_split_without_targets_is_refused_with_what_it_serves_for(
    run: RunDirectory, requests: list[DataRequest], split: str
):
    with pytest.raises(T5MixError, match=rf"letters: the split '{split}' has no targets .*predict RUN --task letters"):
        found(run, split)
    assert requests == []


def test_tasks_without_targets_are_left_out_and_named(run: RunDirectory, requests: list[DataRequest], tmp_path: Path):
    (tmp_path / "labelled.tsv").write_text(ROWS)
    raw = run.experiment()
    letters = raw["tasks"]["letters"]
    raw |= {"mixture": ["letters", "more"], "tasks": {"letters": letters, "more": dict(letters)}}
    raw["tasks"]["more"]["files"] = {"train": "train.tsv", "test": "labelled.tsv"}
    experiment = read_experiment(raw)
    run.claim(experiment.to_json(), {}, prepare(experiment.data_request(), quiet=True))
    notices: list[str] = []
    assert [task.name for task in found(run, "test", notice=notices.append).tasks] == ["more"]
    assert notices == ["no targets in the test split: letters (t5mix predict --task answers the inputs)"]
    assert [request.mixture for request in requests] == [("more",)]


def test_a_run_that_was_moved_needs_the_files_of_the_split_alone(
    run: RunDirectory, requests: list[DataRequest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "elsewhere").mkdir()
    run = RunDirectory((tmp_path / "run").rename(tmp_path / "elsewhere" / "run"))
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "stores").rename(tmp_path / "gone")
    (tmp_path / "train.tsv").unlink()
    assert [task.name for task in found(run, "validation").tasks] == ["letters"]  # it lies where the run was started
    (tmp_path / "validation.tsv").rename(tmp_path / "elsewhere" / "dev.tsv")
    (tmp_path / "stores").rename(tmp_path / "gone too")
    with pytest.raises(T5MixError, match=r"no file validation\.tsv .* say where: tasks\.NAME\.files\.SPLIT=FILE"):
        found(run, "validation")
    data = found(run, "validation", "tasks.letters.files.validation=dev.tsv")
    assert data.manifest.tasks[0].splits.keys() == {"validation"}
    assert requests[-1].splits == ("validation",)


def continued(run: RunDirectory, *settings: str) -> None:
    """Continues the run as far as its data, with other places of its files."""
    experiment = read_experiment(with_settings(run.experiment(), settings))
    train_experiment(experiment, prepare=lambda request: prepare(request, quiet=True))


def test_a_run_is_continued_with_its_files_elsewhere_if_they_are_the_same(
    run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(EngineAhead, "build", lambda *_: pytest.fail("the data are there"))
    other = tmp_path / "other.tsv"
    other.write_text(ROWS.replace("1", "0"))
    with pytest.raises(T5MixError, match=r"data of run has changed since the run began: letters \(train\)"):
        continued(run, "run_dir=run", "tasks.letters.files.train=other.tsv")
    (tmp_path / "train.tsv").replace(other)
    with pytest.raises(pytest.fail.Exception, match="the data are there"):
        continued(run, "run_dir=run", "tasks.letters.files.train=other.tsv")
    (tmp_path / "stores").rename(tmp_path / "gone")
    with pytest.raises(T5MixError, match=r"no file train\.tsv .* say where: tasks\.NAME\.files\.SPLIT=FILE"):
        continued(run, "run_dir=run")
    with pytest.raises(T5MixError, match=r"tasks\.letters\.inputs: 'letters: \{text\}' there, '\{text\}' here"):
        continued(run, "run_dir=run", "tasks.letters.inputs='{text}'")
