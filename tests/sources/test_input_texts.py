"""Inputs without targets: from lines, and from a template around the fields of every kind of file."""

import bz2
import gzip
import importlib.util
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from t5mix.errors import T5MixError
from t5mix.sources.declaration import TaskDeclaration
from t5mix.sources.input_texts import InputTexts, line_inputs, template_inputs

ROWS = [{"id": 1, "text": "gut, schön"}, {"id": 2, "text": ""}, {"id": 3, "text": "zwei\nZeilen"}]
EXPECTED = ["1: gut, schön", "2: ", "3: zwei\nZeilen"]
CSV = 'id,text\r\n1,"gut, schön"\r\n2,\r\n3,"zwei\nZeilen"\r\n'


def filled(named: Any, template: str = "{id}: {text}", **options: Any) -> InputTexts:
    return template_inputs(template, str(named), **{"split": "test", **options})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, text: str, compress: Callable[[bytes], bytes] = bytes) -> str:
    Path(name).write_bytes(compress(text.encode("utf-8")))
    return name


@pytest.mark.parametrize(
    ("name", "text", "compress"),
    [
        ("a.csv", CSV, bytes),
        ("a.csv.gz", CSV, gzip.compress),
        ("a.jsonl", "\n".join(map(json.dumps, ROWS)), bytes),
        ("a.jsonl.bz2", "\n".join(map(json.dumps, ROWS)), bz2.compress),
        ("a.json", json.dumps(ROWS), bytes),
        ("a.json.xz", json.dumps(ROWS), lzma.compress),
    ],
)
def test_each_row_is_an_input(name: str, text: str, compress: Any, folder: Path):
    inputs = filled(write(name, text, compress))
    assert list(inputs) == EXPECTED
    assert list(inputs) == EXPECTED  # once more from the beginning
    assert inputs.check().count == 3


def test_tables_of_arrow(folder: Path):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.Table.from_pylist(ROWS), "a.parquet")
    assert list(filled("a.parquet")) == EXPECTED
    with pytest.raises(T5MixError, match=r'a\.parquet has fields.*--inputs "TEXT \{FIELD\}"'):
        line_inputs("a.parquet")


@pytest.mark.skipif(importlib.util.find_spec("datasets") is None, reason="needs datasets")
def test_a_folder_with_a_data_set(folder: Path):
    import datasets

    data = datasets.Dataset.from_list(ROWS)
    datasets.DatasetDict({"train": data.select([0]), "test": data}).save_to_disk("saved")
    assert list(filled("saved")) == EXPECTED
    assert list(filled("saved", split="train")) == EXPECTED[:1]
    with pytest.raises(T5MixError, match="split"):
        filled("saved", split="dev").check()
    with pytest.raises(T5MixError, match=r"saved is a folder\..*if it is a data set.*--inputs"):
        line_inputs("saved")


def test_options_that_a_declaration_has(folder: Path):
    write("a.dat", 'id;text\n1;"x"\n')
    assert list(filled("a.dat", format="csv", delimiter=";")) == ["1: x"]
    assert list(filled("a.dat", format="csv", delimiter=";", quoting=False)) == ['1: "x"']
    with pytest.raises(T5MixError, match=r"format of a\.dat is not clear"):
        filled("a.dat")
    with pytest.raises(T5MixError, match="delimiter is '--'"):
        filled("a.dat", format="csv", delimiter="--")
    with pytest.raises(T5MixError, match="only TSV and CSV files have delimiter"):
        filled("a.jsonl", delimiter=";")


def test_patterns_and_urls(folder: Path):
    for name, text in (("p-1.tsv", "id\ttext\n1\ta\n"), ("p-2.tsv", "text\tid\nb\t2\n")):
        write(name, text)
    assert list(filled("p-*.tsv")) == ["1: a", "2: b"]
    if importlib.util.find_spec("fsspec"):
        assert list(filled(f"file://{folder}/p-2.tsv")) == ["2: b"]
    assert list(line_inputs("p-*.tsv")) == ["id\ttext", "1\ta", "text\tid", "b\t2"]
    with pytest.raises(T5MixError, match=r"No file matches q-\*\.tsv"):
        line_inputs("q-*.tsv")


def test_every_line_of_text_is_an_input(folder: Path):
    write("a.txt", "\ufeffone\r\n\r\n\ntwo\rhalf")
    assert list(line_inputs("a.txt")) == ["one", "", "", "two\rhalf"]
    assert list(filled("a.txt", "say: {text}")) == ["say: one", "say: ", "say: ", "say: two\rhalf"]
    with pytest.raises(T5MixError, match=r"no field 'line'\. Its fields are text"):
        filled("a.txt", "{line}").check()
    with pytest.raises(T5MixError, match=r"There is no file b\.txt"):
        line_inputs("b.txt")


def test_all_that_is_wrong_is_told_at_once_as_in_training(folder: Path):
    write("bad.jsonl", '{"text": "a"}\n{"text": NaN}\n{"text": null}\n{"txt": "b"}\nx\n')
    inputs = filled("bad.jsonl", "say: {text}")
    with pytest.raises(T5MixError) as told:
        inputs.check()
    for line, problem in ((2, "is nan"), (3, "is null"), (4, "no field 'text'"), (5, "not JSON")):
        assert f"bad.jsonl, line {line}: " in str(told.value)
        assert problem in str(told.value).splitlines()[line - 2]
    task = TaskDeclaration(files={"train": "bad.jsonl"}, inputs="say: {text}", targets="text")
    with pytest.raises(T5MixError) as in_training:
        task.check()
    assert str(in_training.value) == str(told.value)
    with pytest.raises(T5MixError, match="line 2"):
        list(inputs)


def test_a_column_that_is_not_there_is_told_with_those_that_are(folder: Path):
    write("a.csv", CSV)
    with pytest.raises(T5MixError, match=r"a\.csv, line 1: there is no field 'txet'.*are id, text.*mean 'text'"):
        filled("a.csv", "{txet}").check()
    with pytest.raises(T5MixError, match="names no field"):
        filled("a.csv", "text")
    with pytest.raises(T5MixError, match=r"has a single \{"):
        filled("a.csv", "{text")
    with pytest.raises(T5MixError, match="holds no examples"):
        filled(write("b.csv", "id,text\n")).check()


def test_inputs_are_told_apart_by_their_texts_alone(folder: Path):
    first = line_inputs(write("a.txt", "ab\nc\n")).check()
    assert line_inputs(write("b.txt.gz", "ab\nc\n", gzip.compress)).check() == first
    for text in ("a\nbc\n", "abc\n", "ab\nc\n\n", "c\nab\n"):
        assert line_inputs(write("c.txt", text)).check() != first
