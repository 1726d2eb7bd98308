"""Declared tasks whose splits are more than single files: as seqio reads them, and what identifies them."""

from pathlib import Path
from typing import Any

import pytest

from t5mix.cache.fingerprint import describe, digest
from t5mix.cache.prepare_worker import load_tasks

LENGTHS = {"inputs": 32, "targets": 32}


@pytest.fixture
def parallel(tmp_path: Path, make_request: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    for name, text in (
        ("a.en", "the river\nthe stone\n"),
        ("b.en", "a door\n"),
        ("a.fr", "ein\nzwei\n"),
        ("b.fr", "drei\n"),
    ):
        Path(name).write_text(text, encoding="utf-8")
    files = {"train": {"inputs": ["a.en", "b.en"], "targets": ["a.fr", "b.fr"]}}
    return make_request(mixture=("parallel_text",), declared={"parallel_text": {"files": files}})


def test_pairs_of_files_are_shards(parallel: Any):
    task = load_tasks(parallel).task("parallel_text")
    assert list(task.source.list_shards("train")) == ["a.en", "b.en"]
    assert task.source.num_input_examples("train") == 3
    rows = list(task.source.get_dataset("train", shuffle=False).as_numpy_iterator())
    assert [row["targets"] for row in rows] == [b"ein", b"zwei", b"drei"]


def test_each_side_counts(parallel: Any):
    task = load_tasks(parallel).task("parallel_text")

    def fingerprint() -> str:
        return digest(describe(task, "train", LENGTHS, None))

    before = fingerprint()
    Path("b.fr").write_text("vier\n", encoding="utf-8")
    after = fingerprint()
    assert before != after
    Path("b.fr").write_text("drei\n", encoding="utf-8")
    assert fingerprint() == before


def test_remote_files_count_by_what_their_file_system_tells(make_request: Any):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    memory.pipe("/t5mix_remote/a.tsv", b"text\tlabel\nfine\tgood\n")
    declared = {"files": {"train": "memory://t5mix_remote/a.tsv"}, "inputs": "{text}", "targets": "label"}
    task = load_tasks(make_request(mixture=("remote_text",), declared={"remote_text": declared})).task("remote_text")
    before = digest(describe(task, "train", LENGTHS, None))
    assert task.source.num_input_examples("train") == 1
    memory.pipe("/t5mix_remote/a.tsv", b"text\tlabel\nfine\tbetter\n")
    assert digest(describe(task, "train", LENGTHS, None)) != before
