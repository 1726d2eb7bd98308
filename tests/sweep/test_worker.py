"""What a process of a sweep does with its job."""

import dataclasses
from pathlib import Path

import pytest

from t5mix.data.manifest import DataManifest, DataRequest, VocabularyEntry
from t5mix.errors import T5MixError
from t5mix.metrics.example_scores import ExampleScores, TaskEvaluation
from t5mix.subprocesses import ProcessDiedError
from t5mix.sweep import worker
from t5mix.sweep.worker import PERMANENT_ERROR, RunRequest

JOB = RunRequest(
    {"seed": 0}, ("validation",), ("train", "validation"), (), "latest", {"seed": 0}, None, "data", 1, "compiled"
)


def test_a_job_is_read_back_as_it_was_written(tmp_path: Path):
    JOB.save(tmp_path / "job.json")
    assert RunRequest.load(tmp_path / "job.json") == JOB


@pytest.mark.parametrize(
    ("error", "status"),
    [(T5MixError("the loss is not a number"), PERMANENT_ERROR), (ProcessDiedError("ended by signal 9"), 1), (None, 0)],
)
def test_the_status_says_whether_to_try_again(
    error: Exception | None,
    status: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    def done(job: RunRequest) -> int:
        if error is not None:
            raise error
        return 0

    JOB.save(tmp_path / "job.json")
    monkeypatch.setattr(worker, "carry_out", done)
    monkeypatch.setattr(worker, "configure_process", lambda job: None)
    monkeypatch.setattr("sys.argv", ["job", str(tmp_path / "job.json")])
    assert worker.main() == status
    assert capsys.readouterr().err.strip() == str(error or "")


def test_the_same_data_is_prepared_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    prepared: list[DataRequest] = []

    def prepare(request: DataRequest) -> DataManifest:
        prepared.append(request)
        return DataManifest(request, VocabularyEntry("bytes", "", "", 0, 259), ())

    monkeypatch.setattr("t5mix.data.prepare_client.prepare_in_subprocess", prepare)
    request = DataRequest(("a",), 8, 8, 0, "stores")
    first = worker.prepare_once(request, tmp_path)
    assert worker.prepare_once(request, tmp_path) == first
    assert len(prepared) == 1
    worker.prepare_once(dataclasses.replace(request, seed=1), tmp_path)
    assert len(prepared) == 2


def test_each_task_is_scored_at_its_own_best_step(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    calls: list[tuple[str, list[str]]] = []

    def evaluate_run(run: Path, *, which: str, split: str, tasks: list[str]) -> dict[str, TaskEvaluation]:
        calls.append((which, tasks))
        return {name: TaskEvaluation({"accuracy": 1.0}, {"accuracy": ExampleScores.of_means([0.01])}) for name in tasks}

    best = {"x": "10", "y": "20", "z": "10"}
    monkeypatch.setattr("t5mix.runs.evaluate.evaluate_run", evaluate_run)
    monkeypatch.setattr("t5mix.runs.load.checkpoint_of", lambda run, which: Path(best.get(which, "30")))
    manifest = DataManifest(DataRequest(("x",), 8, 8, 0, ""), VocabularyEntry("bytes", "", "", 0, 259), ())
    manifest.save(tmp_path / "data_manifest.json")
    scores = worker.score_run(tmp_path, "test", ("x", "y", "z"), "best")
    assert calls == [("10", ["x", "z"]), ("20", ["y"])]
    assert {name: score.step for name, score in scores.items()} == {"x": 10, "y": 20, "z": 10}
    assert scores["x"].to_json()["headline"] == "accuracy"
    calls.clear()
    worker.score_run(tmp_path, "test", ("x", "y", "z"), "latest")
    assert calls == [("30", ["x", "y", "z"])]
