"""Data sets of Hugging Face that lie on this machine; nothing here asks the network."""

import importlib.util
import sys
import warnings
from pathlib import Path
from types import ModuleType

import pytest

from t5mix.errors import T5MixError
from t5mix.metrics.declared import scoring_of
from t5mix.metrics.postprocessors import INVALID
from t5mix.sources.declaration import TaskDeclaration, task_declaration
from t5mix.sources.shards import files_of

if importlib.util.find_spec("datasets") is None:
    pytest.skip("needs datasets", allow_module_level=True)

ROWS = {
    "text": ["good", "bad", "fine"],
    "label": [1, 0, 1],
    "answers": [{"text": ["a", "b"]}, {"text": []}, {"text": ["c"]}],
}


@pytest.fixture(scope="module")
def datasets() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import datasets
    return datasets


@pytest.fixture(scope="module")
def saved(datasets, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "films"
    data = datasets.Dataset.from_dict(ROWS).cast_column("label", datasets.ClassLabel(names=["neg", "pos"]))
    hidden = datasets.Dataset.from_dict({**ROWS, "label": [-1, -1, -1]}, features=data.features)
    datasets.DatasetDict({"train": data, "test": hidden}).save_to_disk(folder)
    return folder


def test_a_saved_data_set(saved):
    task = task_declaration(
        "films", {"files": {"train": {"dataset": str(saved)}}, "inputs": "{label}? {text}", "targets": "label"}
    )
    task.check_beginning()
    task.check()
    assert list(task.examples(task.files["train"])) == [
        {"inputs": "pos? good", "targets": "pos"},
        {"inputs": "neg? bad", "targets": "neg"},
        {"inputs": "pos? fine", "targets": "pos"},
    ]
    assert task.choices() == ("neg", "pos")
    assert [path.suffix for path in files_of(task.files["train"])] == [".arrow"]
    nested = TaskDeclaration(files=task.files, inputs="{text}", answers="answers.text")
    assert [example["answers"] for example in nested.examples(task.files["train"])] == [["a", "b"], [""], ["c"]]


@pytest.mark.parametrize(
    ("split", "texts"),
    [("train[1:]", ["bad", "fine"]), ("train[:34%]+test[2:]", ["good", "fine"]), ("test", ROWS["text"])],
)
def test_slices_of_a_saved_data_set(saved, split, texts):
    files = {"train": {"dataset": str(saved), "split": split}}
    task = TaskDeclaration(files=files, inputs="{text}", targets="text")
    assert [example["inputs"] for example in task.examples(task.files["train"])] == texts
    assert len(files_of(task.files["train"])) >= 1


@pytest.mark.parametrize("labels", [{0: "schlecht", 1: "gut"}, {"neg": "schlecht", "pos": "gut"}])
def test_labels_by_number_or_by_name(saved, labels):
    files = {"train": {"dataset": str(saved)}}
    task = TaskDeclaration(files=files, inputs="{text}", targets="label", labels=labels)
    assert [example["targets"] for example in task.examples(task.files["train"])] == ["gut", "schlecht", "gut"]
    assert task.choices() == ("schlecht", "gut")


def test_a_split_without_labels(saved):
    files = {split: {"dataset": str(saved)} for split in ("train", "test")}
    task = TaskDeclaration(files=files, inputs="{text}", targets="label")
    task.check()
    assert not task.has_targets("test")
    assert len(list(task.inputs_only(task.files["test"]))) == 3
    with pytest.raises(T5MixError, match=r"films, split test, row 1: label is '-1'"):
        list(task.examples(task.files["test"]))


def test_a_folder_of_files(datasets, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/train.csv").write_text("text,label\n" + "".join(f"text {n},{n}\n" for n in range(10)))
    files = {"train": {"dataset": str(tmp_path / "data"), "split": "train[:40%]"}}
    task = TaskDeclaration(files=files, inputs="{text}", targets="label")
    assert [example["targets"] for example in task.examples(task.files["train"])] == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"dataset": "{saved}", "split": "trian"}, r"Unknown split of the data set .*'trian'\. Did you mean 'train'"),
        ({"dataset": "./nowhere"}, "There is no folder nowhere with a data set"),
        ({"dataset": "nobody/nothing"}, r"from the Hugging Face hub.*save it where there is one .*save_to_disk"),
        ({"dataset": "{empty}"}, "the folder cannot be read"),
    ],
)
def test_data_sets_that_cannot_be_had(saved, tmp_path, monkeypatch, files, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    files = {key: value.format(saved=saved, empty=tmp_path / "empty") for key, value in files.items()}
    with pytest.raises(T5MixError, match=said):
        TaskDeclaration(files={"train": files}, inputs="{text}", targets="label").check_beginning()


def test_settings_are_checked():
    settings = {"inputs": "{text}", "targets": "label"}
    with pytest.raises(T5MixError, match=r"'files\.train\.spilt'\. Did you mean files\.train\.split"):
        task_declaration("films", {"files": {"train": {"dataset": "a/b", "spilt": "x"}}, **settings})
    with pytest.raises(T5MixError, match=r"files\.train\.dataset is not set"):
        task_declaration("films", {"files": {"train": {"split": "train"}}, **settings})


def test_the_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(T5MixError, match=r"install datasets: pip install 't5mix\[hf\]'"):
        TaskDeclaration(files={"train": {"dataset": "a/b"}}, inputs="{t}", targets="l").check()


def test_its_classes_are_the_labels_that_metrics_know(saved):
    options = {"files": {"train": {"dataset": str(saved)}}, "inputs": "{text}", "targets": "label"}
    scoring = scoring_of(TaskDeclaration(**options, metrics=("macro_f1",)))
    assert scoring.postprocess("neither") == INVALID
    with pytest.raises(T5MixError, match=r"'f1:positive' is about a label that the task does not have.*'f1:pos'"):
        scoring_of(TaskDeclaration(**options, metrics=("f1:positive",)))
    choice = scoring_of(TaskDeclaration(**options, metrics=("choice_accuracy",)))
    found = choice.evaluate(["pos", "pos"], [], [{}, {}], choice_log_probs=[[-1.0, -2.0], [-2.0, -1.0]])
    assert found.metrics == {"choice_accuracy": 50.0}
