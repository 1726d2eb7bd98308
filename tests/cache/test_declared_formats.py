"""Declared tasks whose splits are more than single files: as seqio reads them, and what identifies them."""

from pathlib import Path
from typing import Any

import pytest

from t5mix.cache.declared_in_seqio import declared_to_seqio
from t5mix.cache.declared_task import DeclaredTask
from t5mix.cache.run_task import SplitSpec
from t5mix.cache.run_tasks import load_tasks
from t5mix.cache.seqio_task import SeqioTask


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


def loaded(request: Any, name: str, *, by_seqio: bool) -> SplitSpec:
    task = load_tasks(request).task(name)
    assert isinstance(task, DeclaredTask)
    chosen = SeqioTask(declared_to_seqio(name, task.declaration, task.vocabulary)) if by_seqio else task
    return SplitSpec(chosen, "train", 32, 32)


def folder(spec: SplitSpec) -> Path:
    return spec.folder(Path("stores"), None)[0]


@pytest.mark.parametrize("by_seqio", [False, True])
def test_pairs_of_files_are_shards(parallel: Any, by_seqio: bool):
    spec = loaded(parallel, "parallel_text", by_seqio=by_seqio)
    assert spec.task.shards("train") == ["a.en", "b.en"]
    rows = list(spec.task.raw_examples(spec, 0))
    texts = [row["targets_pretokenized"] for row in rows]
    assert [text.decode() if by_seqio else text for text in texts] == ["ein", "zwei", "drei"]


@pytest.mark.parametrize("by_seqio", [False, True])
def test_files_without_examples_are_no_shards(
    by_seqio: bool, make_request: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    for name, content in (("a", "text\tlabel\n"), ("b", "text\tlabel\nfine\t1\n"), ("c", "")):
        Path(f"part-{name}.tsv").write_text(content, encoding="utf-8")
    declared = {"files": {"train": "part-*.tsv"}, "inputs": "{text}", "targets": "label"}
    request = make_request(mixture=("parts",), declared={"parts": declared})
    spec = loaded(request, "parts", by_seqio=by_seqio)
    assert spec.task.shards("train") == ["part-b.tsv"]
    assert len(list(spec.task.raw_examples(spec, 0))) == 1


@pytest.mark.parametrize("by_seqio", [False, True])
def test_each_side_counts(parallel: Any, by_seqio: bool):
    spec = loaded(parallel, "parallel_text", by_seqio=by_seqio)
    before = folder(spec)
    Path("b.fr").write_text("vier\n", encoding="utf-8")
    assert folder(spec) != before
    Path("b.fr").write_text("drei\n", encoding="utf-8")
    assert folder(spec) == before


def test_remote_files_count_by_what_their_file_system_tells(make_request: Any):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    memory.pipe("/t5mix_remote/a.tsv", b"text\tlabel\nfine\tgood\n")
    declared = {"files": {"train": "memory://t5mix_remote/a.tsv"}, "inputs": "{text}", "targets": "label"}
    request = make_request(mixture=("remote_text",), declared={"remote_text": declared})
    specs = [loaded(request, "remote_text", by_seqio=by_seqio) for by_seqio in (False, True)]
    before = list(map(folder, specs))
    assert [len(list(spec.task.raw_examples(spec, 0))) for spec in specs] == [1, 1]
    memory.pipe("/t5mix_remote/a.tsv", b"text\tlabel\nfine\tbetter\n")
    assert all(folder(spec) != old for spec, old in zip(specs, before, strict=True))
