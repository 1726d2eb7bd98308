import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import pytest

from t5mix.data.manifest import DataManifest, VocabularyEntry
from t5mix.errors import T5MixError
from t5mix.files import sha256_of
from t5mix.tracking.history import read_history
from t5mix.tracking.run_directory import RunDirectory, check_exists, find_checkpoint, kept_vocabulary

EXPERIMENT: dict[str, Any] = {
    "run_dir": "r",
    "store_dir": "s",
    "seed": 0,
    "mesh": {"data": 1, "fsdp": 1},
    "training": {"steps": 10, "prefetch": 2, "max_checkpoints_to_keep": 2},
    "mixing": {"kind": "temperature", "temperature": 2.0},
    "evaluation": {"batch_size": 64},
}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory, tiny) -> DataManifest:
    return tiny.make_manifest(tmp_path_factory.mktemp("lock"))


@pytest.fixture
def claimed(tmp_path: Path, manifest: DataManifest) -> RunDirectory:
    directory = RunDirectory(tmp_path / "run")
    directory.claim(EXPERIMENT, {"jax": "1"}, manifest)
    return directory


def changed(**changes: Any) -> dict[str, Any]:
    copy = json.loads(json.dumps(EXPERIMENT))
    for key, value in changes.items():
        *parents, name = key.split("__")
        node = copy
        for parent in parents:
            node = node[parent]
        node[name] = value
    return copy


def test_a_new_folder_is_free_and_stays_unmade(tmp_path: Path):
    RunDirectory(tmp_path / "new").check(EXPERIMENT)
    assert not (tmp_path / "new").exists()
    (tmp_path / "new").mkdir()
    RunDirectory(tmp_path / "new").check(EXPERIMENT)


def test_what_is_claimed_comes_back(claimed: RunDirectory, manifest: DataManifest):
    claimed.check(EXPERIMENT)
    assert claimed.experiment() == EXPERIMENT
    assert claimed.manifest() == manifest
    assert claimed.result() is None
    claimed.save_result({"steps": 3})
    assert claimed.result() == {"steps": 3}


def test_a_foreign_folder_is_refused(tmp_path: Path):
    (tmp_path / "thesis.tex").write_text("", encoding="utf-8")
    with pytest.raises(T5MixError, match=r"not empty \(thesis\.tex\) and holds no run of t5mix"):
        RunDirectory(tmp_path).check(EXPERIMENT)


def test_a_file_is_no_run(tmp_path: Path):
    (tmp_path / "run").write_text("", encoding="utf-8")
    with pytest.raises(T5MixError, match="is a file, and run_dir must be a folder"):
        RunDirectory(tmp_path / "run").check(EXPERIMENT)


def test_a_run_killed_while_it_claims_its_folder_can_start_again(tmp_path: Path, manifest: DataManifest, monkeypatch):
    def killed(self: DataManifest, path: Path) -> None:
        raise KeyboardInterrupt

    directory = RunDirectory(tmp_path / "run")
    monkeypatch.setattr(DataManifest, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        directory.claim(EXPERIMENT, {}, manifest)
    (tmp_path / "run" / ".data_manifest.json.4711").write_text("{", encoding="utf-8")
    directory.check(EXPERIMENT)
    assert directory.manifest() is None
    (tmp_path / "run" / "experiment.json").unlink()
    directory.check(EXPERIMENT)


def test_settings_that_differ_are_listed(claimed: RunDirectory):
    with pytest.raises(T5MixError) as caught:
        claimed.check(changed(seed=1, mixing__temperature=4.0, training__steps=20, run_dir="elsewhere"))
    lines = str(caught.value).splitlines()
    assert "holds a run of another experiment" in lines[0]
    assert lines[1:-1] == [
        "  mixing.temperature: 2.0 there, 4.0 here",
        "  seed: 0 there, 1 here",
        "  training.steps: 10 there, 20 here",
    ]


def test_settings_that_came_or_went_are_listed(claimed: RunDirectory):
    with pytest.raises(T5MixError, match=r"mixing\.max_examples: None there, 5 here"):
        claimed.check(changed(mixing__max_examples=5))


@pytest.mark.parametrize(
    "change",
    [
        {"run_dir": "moved"},
        {"store_dir": "elsewhere"},
        {"mesh__data": 4},
        {"distributed": {"processes": 2}},
        {"training__prefetch": 9},
        {"training__max_checkpoints_to_keep": 1},
        {"evaluation__batch_size": 1},
    ],
)
def test_free_settings_may_change(claimed: RunDirectory, change: dict[str, Any]):
    claimed.check(changed(**change))


def test_a_folder_without_an_experiment_is_no_run(tmp_path: Path):
    with pytest.raises(T5MixError, match=r"is no run of t5mix: it has no experiment\.json"):
        RunDirectory(tmp_path).experiment()


def test_a_missing_folder_is_called_the_same_by_all_that_look_for_a_run(tmp_path: Path):
    missing = tmp_path / "none"
    for look in (check_exists, find_checkpoint, read_history, lambda path: RunDirectory(path).experiment()):
        with pytest.raises(T5MixError, match="none is no run of t5mix: there is no such folder"):
            look(missing)


def test_checkpoints_are_found(tmp_path: Path):
    with pytest.raises(T5MixError, match="holds no checkpoint"):
        find_checkpoint(tmp_path)
    for step in (2, 10, 9):
        (tmp_path / "checkpoints" / str(step) / "run_state").mkdir(parents=True)
    (tmp_path / "checkpoints" / "11.orbax-checkpoint-tmp").mkdir()
    assert find_checkpoint(tmp_path) == tmp_path / "checkpoints" / "10"
    assert find_checkpoint(tmp_path / "checkpoints" / "2") == tmp_path / "checkpoints" / "2"


def test_one_process_at_a_time_trains(tmp_path: Path):
    run = RunDirectory(tmp_path / "run")
    refusal = rf"The run .*run is already being trained, by process {os.getpid()} on .*\. Wait for it, or end it first"
    with run.locked(), pytest.raises(T5MixError, match=refusal), RunDirectory(tmp_path / "run").locked():
        pass
    assert not run.path.exists()  # nothing was written to it
    with run.locked():
        (run.path / "experiment.json").touch()
    with run.locked():  # a later one continues
        pass
    assert (run.path / "experiment.json").exists()


def test_a_run_holds_its_vocabulary(manifest, tmp_path):
    (tmp_path / "own.model").write_bytes(b"pieces")
    vocabulary = VocabularyEntry("sentencepiece", str(tmp_path / "own.model"), sha256_of(tmp_path / "own.model"), 0, 9)
    request = dataclasses.replace(manifest.request, vocabulary=vocabulary.path)
    directory = RunDirectory(tmp_path / "run")
    directory.path.mkdir()
    directory.claim(EXPERIMENT, {}, dataclasses.replace(manifest, vocabulary=vocabulary))
    assert directory.at_hand(request) == request
    (tmp_path / "own.model").unlink()
    directory.claim(EXPERIMENT, {}, dataclasses.replace(manifest, vocabulary=vocabulary))  # continued without it
    (tmp_path / "run").rename(tmp_path / "moved")
    moved = tmp_path / "moved"
    assert RunDirectory(moved).at_hand(request).vocabulary == str(moved / "vocabulary.model")
    assert RunDirectory(moved).at_hand(manifest.request) == manifest.request
    found = kept_vocabulary(vocabulary, moved / "checkpoints" / "3")
    assert (found.path, found.identity) == (str(moved / "vocabulary.model"), vocabulary.identity)
    (moved / "vocabulary.model").write_bytes(b"other pieces")
    assert kept_vocabulary(vocabulary, moved / "checkpoints" / "3") == vocabulary


def test_files_are_looked_for_where_the_run_was_started(tmp_path: Path, manifest: DataManifest, monkeypatch: Any):
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    for folder in (first, second, third):
        folder.mkdir()
        (folder / f"{folder.name}.tsv").touch()
    directory, request = RunDirectory(tmp_path / "run"), manifest.request

    def files_after(folder: Path, name: str) -> Any:
        """Starts or continues the run in a folder, and says where it would find a file from the third."""
        tasks = {"own": {"files": {"train": name}}}
        with monkeypatch.context() as patch:
            patch.chdir(folder)
            directory.claim({**EXPERIMENT, "tasks": tasks}, {}, manifest)
            patch.chdir(third)
            return directory.at_hand(dataclasses.replace(request, declared=tasks)).declared["own"]["files"]["train"]

    assert files_after(first, "first.tsv") == str(first / "first.tsv")
    assert files_after(second, "first.tsv") == str(first / "first.tsv")  # continued with the same names
    assert files_after(second, "second.tsv") == str(second / "second.tsv")
    assert files_after(first, "third.tsv") == "third.tsv"
    assert files_after(second, "none.tsv") == "none.tsv"


@pytest.mark.parametrize(
    ("files", "allowed"), [({"train": "b.tsv"}, True), ({"train": ["b.tsv"]}, True), ({"test": "a.tsv"}, False)]
)
def test_files_may_lie_elsewhere_in_a_continued_run(
    tmp_path: Path, manifest: DataManifest, files: dict[str, Any], allowed: bool
):
    directory = RunDirectory(tmp_path / "run")
    directory.claim({**EXPERIMENT, "vocabulary": "a", "tasks": {"own": {"files": {"train": "a.tsv"}}}}, {}, manifest)
    other = {**EXPERIMENT, "vocabulary": "b", "tasks": {"own": {"files": files}}}
    if allowed:
        directory.check(other)
    else:
        with pytest.raises(T5MixError, match=r"tasks\.own\.files\.test: None there, 'a\.tsv' here"):
            directory.check(other)
