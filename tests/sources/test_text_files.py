"""Parallel text: lines that belong together."""

import gzip
from pathlib import Path

import pytest

from t5mix.errors import T5MixError
from t5mix.sources.declaration import TaskDeclaration, task_declaration
from t5mix.sources.shards import files_of, shards_of


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, lines in (("train.en", "a dog\n\nthe sun \n"), ("train.fr", "un chien\n\nle soleil\n"), ("b.fr", "un\n")):
        Path(name).write_text(lines, encoding="utf-8")
    Path("train.en.gz").write_bytes(gzip.compress(Path("train.en").read_bytes()))
    Path("train.fr.gz").write_bytes(gzip.compress(Path("train.fr").read_bytes()))
    return tmp_path


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_lines_belong_together(ending):
    named = {"inputs": f"train.en{ending}", "targets": [f"train.fr{ending}"]}
    task = task_declaration("enfr", {"files": {"train": named}, "inputs": "translate: {inputs}"})
    task.check_beginning()
    assert list(task.examples(task.files["train"])) == [
        {"inputs": "translate: a dog", "targets": "un chien"},
        {"inputs": "translate: ", "targets": ""},  # blank lines count: what comes after stays in line
        {"inputs": "translate: the sun", "targets": "le soleil"},
    ]
    assert [str(path) for path in files_of(task.files["train"])] == [f"train.en{ending}", f"train.fr{ending}"]


def test_fields_may_have_other_names_and_targets_be_absent():
    task = task_declaration(
        "enfr", {"files": {"test": {"inputs": "train.en"}, "train": {"inputs": "train.en", "targets": "train.fr"}}}
    )
    task.check()
    assert [example["inputs"] for example in task.inputs_only(task.files["test"])] == ["a dog", "", "the sun"]
    task = task_declaration(
        "fren", {"files": {"train": {"fr": "train.fr", "en": "train.en"}}, "inputs": "{fr}", "targets": "en"}
    )
    assert next(iter(task.examples(task.files["train"]))) == {"inputs": "un chien", "targets": "a dog"}


def test_the_numbers_of_lines_and_files_are_compared():
    task = TaskDeclaration(files={"train": {"inputs": "train.en", "targets": "b.fr"}})
    with pytest.raises(T5MixError, match=r"train\.en has 3 lines and b\.fr has 1 line"):
        task.check()
    task = TaskDeclaration(files={"train": {"inputs": "b.fr", "targets": "train.en"}})
    with pytest.raises(T5MixError, match=r"b\.fr has 1 line and train\.en has 3 lines"):
        list(task.examples(task.files["train"]))
    with pytest.raises(T5MixError, match="as many files for each field; there are 2 for inputs, 1 for targets"):
        shards_of({"inputs": ["train.en", "b.fr"], "targets": "train.fr"})
    with pytest.raises(T5MixError, match=r"There is no file none\.fr"):
        TaskDeclaration(files={"train": {"inputs": "train.en", "targets": "none.fr"}}).check_beginning()


def test_several_pairs_are_several_shards():
    named = {"inputs": ["train.en", "train.en.gz"], "targets": ["train.fr", "train.fr.gz"]}
    task = TaskDeclaration(files={"train": named})
    first, second = shards_of(task.files["train"])
    assert list(task.examples(first)) == list(task.examples([second]))
    assert len(list(task.examples(task.files["train"]))) == 6
