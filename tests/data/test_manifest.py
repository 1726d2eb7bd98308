import json
import shutil
from pathlib import Path

import pytest

from t5mix.data.manifest import DataManifest, DataRequest, StoreEntry, TaskEntry, shard_path
from t5mix.data.token_store import StoreCounts
from t5mix.errors import T5MixError
from t5mix.files import write_json


@pytest.fixture
def manifest(tmp_path: Path, tiny) -> DataManifest:
    return tiny.make_manifest(tmp_path)


def test_a_request_survives_json():
    request = DataRequest(
        mixture=("a", "b"),
        inputs_length=8,
        targets_length=4,
        seed=1,
        store_dir="/stores",
        plugins=("mine",),
        declared={"d": {"files": {"train": "x.tsv"}, "metrics": ["accuracy"]}},
        vocabulary="bytes",
        splits=("train",),
    )
    assert DataRequest.from_json(request.to_json()) == request


@pytest.mark.parametrize(
    ("asked", "checked"), [(("train",), ["train", "test", "dev"]), (("test",), ["test"]), (("validation",), [])]
)
def test_who_asks_for_one_split_need_not_have_the_files_of_others(asked: tuple[str, ...], checked: list[str]):
    request = DataRequest(mixture=("a",), inputs_length=8, targets_length=4, seed=0, store_dir="s", splits=asked)
    assert request.checked_splits(["train", "test", "dev"]) == checked


def test_a_manifest_survives_json(manifest: DataManifest):
    assert DataManifest.from_json(manifest.to_json()) == manifest
    assert DataManifest.from_json(json.loads(json.dumps(manifest.to_json()))) == manifest


def test_a_split_has_many_shards_if_it_is_random_or_streamed():
    assert not TaskEntry("a", False, {}).has_many_shards
    assert TaskEntry("a", True, {}).has_many_shards
    assert not TaskEntry("a", True, {}).is_streamed
    assert TaskEntry("a", False, {}, shards_per_epoch=2).has_many_shards
    assert TaskEntry("a", False, {}, shards_per_epoch=2).is_streamed


def test_a_manifest_survives_its_file(tmp_path: Path, manifest: DataManifest):
    manifest.save(tmp_path / "deep" / "data_manifest.json")
    assert DataManifest.load(tmp_path / "deep" / "data_manifest.json") == manifest
    assert [entry.name for entry in (tmp_path / "deep").iterdir()] == ["data_manifest.json"]


def test_a_task_is_found_by_name(manifest: DataManifest):
    assert manifest.task("first").name == "first"
    with pytest.raises(T5MixError, match=r"Unknown task 'frist'\. Did you mean 'first'"):
        manifest.task("frist")


def test_stores_exist_until_one_is_gone(manifest: DataManifest):
    assert manifest.stores_exist()
    shutil.rmtree(manifest.tasks[1].splits["validation"].path)
    assert not manifest.stores_exist()


def test_of_a_random_task_the_first_epoch_must_exist(tmp_path: Path, manifest: DataManifest, tiny):
    folder = tmp_path / "epochs"
    entry = TaskEntry("r", True, {"train": StoreEntry(str(folder), "f", StoreCounts(1, 2, 2))})
    random = DataManifest(manifest.request, manifest.vocabulary, (entry,))
    assert not random.stores_exist()
    tiny.make_store(shard_path(folder, 1), tiny.make_examples("copy", 1, 0))
    assert not random.stores_exist()
    tiny.make_store(shard_path(folder, 0), tiny.make_examples("copy", 1, 0))
    assert random.stores_exist()


@pytest.mark.parametrize("text", ["{", "{}", '{"format": 0}', "[]"])
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str):
    (tmp_path / "manifest").write_text(text, encoding="utf-8")
    with pytest.raises(T5MixError, match="is no data manifest"):
        DataManifest.load(tmp_path / "manifest")


def test_a_manifest_with_unknown_fields_is_refused(tmp_path: Path, manifest: DataManifest):
    manifest.save(tmp_path / "manifest")
    raw = json.loads((tmp_path / "manifest").read_text("utf-8"))
    raw["vocabulary"]["colour"] = "red"
    (tmp_path / "manifest").write_text(json.dumps(raw), encoding="utf-8")
    with pytest.raises(T5MixError, match="colour"):
        DataManifest.load(tmp_path / "manifest")


def test_a_failed_write_keeps_the_old_file(tmp_path: Path):
    write_json(tmp_path / "x.json", {"a": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "x.json", {"a": object()})
    assert json.loads((tmp_path / "x.json").read_text("utf-8")) == {"a": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.json"]
