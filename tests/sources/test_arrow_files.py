"""Parquet and Arrow files, as pandas and `datasets` write them."""

import datetime
import decimal
import gzip
from pathlib import Path

import pytest

from t5mix.errors import T5MixError
from t5mix.sources.declaration import TaskDeclaration
from t5mix.sources.file_readers import read_rows

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
ipc = pytest.importorskip("pyarrow.ipc")

TABLE = {
    "text": ["good", "bad", "ünd"],
    "label": [1.0, 0.0, 1.0],
    "nested": [{"a": "x", "b": ["y", "z"]}, {"a": "u", "b": []}, {"a": "v", "b": ["w"]}],
}


def save(path: Path, table: object) -> Path:
    if path.suffix == ".parquet":
        parquet.write_table(table, path)
    else:
        make = ipc.new_file if path.suffix == ".feather" else ipc.new_stream
        with make(path, table.schema) as writer:
            writer.write_table(table, max_chunksize=2)
    return path


@pytest.mark.parametrize("ending", [".parquet", ".feather", ".arrow"])
def test_tables(tmp_path, ending):
    path = save(tmp_path / f"a{ending}", pa.table(TABLE))
    files = {"train": str(path)}
    task = TaskDeclaration(files=files, inputs="{nested.a}: {text}", targets="label", labels={0: "neg", 1: "pos"})
    task.check()
    expected = [
        {"inputs": f"{a}: {text}", "targets": label}
        for a, text, label in zip("xuv", TABLE["text"], ("pos", "neg", "pos"), strict=True)
    ]
    assert list(task.examples(str(path))) == expected
    packed = tmp_path / f"b{ending}.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert list(task.examples(str(packed))) == expected
    answers = TaskDeclaration(files=files, inputs="{text}", answers="nested.b", no_answer="-")
    assert [example["targets"] for example in answers.examples(str(path))] == ["y", "-", "w"]
    with pytest.raises(T5MixError, match=rf"a\{ending}: there is no field 'txt'\. Its fields are text, label, nested"):
        TaskDeclaration(files=files, inputs="{txt}", targets="label").check()


def test_kinds_of_values(tmp_path):
    columns = {
        "single": pa.array([0.1, None], pa.float32()),
        "category": pa.array(["a", "b"]).dictionary_encode(),
        "day": pa.array([datetime.date(2024, 2, 29), None]),
        "moment": pa.array([1_700_000_000_123_456_789, 0], pa.timestamp("ns")),
        "money": pa.array([decimal.Decimal("1.50"), None]),
        "raw": pa.array([b"x", b"y"]),
        "none": pa.array([None, None]),
    }
    path = save(tmp_path / "a.parquet", pa.table(columns))
    first, _ = read_rows(path)
    assert [first.text(name) for name in ("single", "category", "day", "money")] == ["0.1", "a", "2024-02-29", "1.50"]
    assert first.text("moment") == "2023-11-14 22:13:20.123456789"
    for name, said in (
        ("raw", "row 1: field 'raw' holds bytes"),
        ("none", "row 1: field 'none' is null"),
        ("single", "row 2: field 'single' is null"),
    ):
        with pytest.raises(T5MixError, match=said):
            TaskDeclaration(files={"train": str(path)}, inputs="{category}", targets=name).check()


def test_values_that_python_cannot_hold(tmp_path):
    days = pa.array([{"day": 10_000_000}], pa.struct([("day", pa.int32())])).cast(pa.struct([("day", pa.date32())]))
    path = save(tmp_path / "a.parquet", pa.table({"text": ["x"], "when": days}))
    with pytest.raises(T5MixError, match=r"a\.parquet: the column 'when', of Arrow's type struct.*Save it as text"):
        TaskDeclaration(files={"train": str(path)}, inputs="{text}", targets="when.day").check()
    assert len(list(TaskDeclaration(files={"train": str(path)}, inputs="{text}", targets="text").examples(path))) == 1


def test_a_frame_of_pandas(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"text": ["good", "bad"], "label": [1, 0]}, index=[7, 9])
    for name, write in (("a.parquet", frame.to_parquet), ("a.csv", frame.to_csv)):
        write(tmp_path / name)
        task = TaskDeclaration(files={"train": str(tmp_path / name)}, inputs="{text}", targets="label")
        assert list(task.examples(str(tmp_path / name))) == [
            {"inputs": "good", "targets": "1"},
            {"inputs": "bad", "targets": "0"},
        ]


@pytest.mark.parametrize(("name", "content"), [("a.parquet", b"text\n"), ("a.arrow", b"text\n"), ("a.parquet", b"")])
def test_other_files(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(T5MixError, match=rf"{name} cannot be read as (parquet|arrow) \(.*\)\. It is another format"):
        list(read_rows(tmp_path / name))


def test_a_file_cut_short(tmp_path):
    for ending in (".parquet", ".arrow", ".feather"):
        path = save(tmp_path / f"a{ending}", pa.table({"text": [f"text {n}" for n in range(5000)]}))
        path.write_bytes(path.read_bytes()[:-3000])
        with pytest.raises(T5MixError, match="cut short or damaged"):
            list(read_rows(path))
