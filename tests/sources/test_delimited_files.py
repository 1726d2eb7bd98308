"""TSV and CSV, with and without quotes."""

from pathlib import Path

import pytest

from t5mix.errors import T5MixError
from t5mix.sources.declaration import TaskDeclaration
from t5mix.sources.file_readers import read_rows
from t5mix.sources.problems import Problems


def write(path: Path, content: str) -> Path:
    path.write_bytes(content.encode("utf-8"))
    return path


def rows(path: Path, **options) -> list[tuple[int, dict]]:
    return [(row.line, dict(row.fields)) for row in read_rows(path, **options)]


def test_csv_with_quoted_line_ends(tmp_path):
    path = write(
        tmp_path / "a.csv", '\ufefftext,label\r\n"first\nsecond ""quoted"", still",1\r\n\r\nplain,0\r\n"",2\r\nlast,3'
    )
    assert rows(path) == [
        (2, {"text": 'first\nsecond "quoted", still', "label": "1"}),
        (5, {"text": "plain", "label": "0"}),
        (6, {"text": "", "label": "2"}),
        (7, {"text": "last", "label": "3"}),
    ]


def test_delimiters(tmp_path):
    path = write(tmp_path / "a.csv", 'text;label\n"a;b";1\nc,d;0\n')
    assert rows(path, delimiter=";") == [(2, {"text": "a;b", "label": "1"}), (3, {"text": "c,d", "label": "0"})]
    task = TaskDeclaration(files={"train": str(path)}, inputs="{text}", targets="label")
    with pytest.raises(T5MixError, match=r"line 2: after a closing quote.*set format: csv and delimiter: ';'"):
        task.check()
    path.write_text("text|label\na|1\n")
    with pytest.raises(T5MixError, match=r"line 1: there is no field 'text'.*set format: csv and delimiter: '\|'"):
        task.check()
    path.write_text('text;label\n"a,b";1\n')
    assert rows(path, format="tsv", delimiter=";") == [(2, {"text": '"a,b"', "label": "1"})]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('a,b\n1,2\n"x"y,2\n', "line 3: after a closing quote there is something else than ','"),
        ('a,b\n1,2\n"never closed,2\n3,4\n', "line 3: a quote that opens a value here is never closed"),
        ('a,b\n"1\n2",2,3\n', r"line 2: 3 columns, where the header names 2 \(a, b\)"),
        ("a,b\n1\n", r"line 2: 1 column,"),
        ("a,b,a\n1,2,3\n", "line 1: the header names a twice"),
        ("a,b\n1\r2,3\n", "line 2: not CSV: new-line character seen in unquoted field"),
    ],
)
def test_broken_csv_is_refused_with_its_line(tmp_path, content, said):
    with pytest.raises(T5MixError, match=rf"a\.csv, {said}"):
        rows(write(tmp_path / "a.csv", content))


def test_errors_of_several_lines_are_collected(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b'a,b\n1\n"x\ny",2,3\ncaf\xe9,4\n5,6\n')
    problems = Problems(20)
    assert [row.line for row in read_rows(path, problems=problems)] == [6]
    with pytest.raises(T5MixError, match="line 2: 1 column,") as error:
        problems.raise_any()
    assert "line 3: 3 columns" in str(error.value)
    assert "line 5: not UTF-8" in str(error.value)


def test_a_long_value(tmp_path):
    long = "word " * 50_000  # more than the csv module takes by itself
    assert rows(write(tmp_path / "a.csv", f'text,label\n"{long}",1\n'))[0][1]["text"] == long


def test_columns_without_a_name(tmp_path):
    path = write(tmp_path / "a.tsv", "\ttext\tlabel\t\n0\tgood\t1\t\n")
    assert rows(path) == [(2, {"text": "good", "label": "1"})]
    files = {"train": str(path)}
    asked = TaskDeclaration(files=files, inputs="{Unnamed: 0} {text}", targets="label")
    assert list(asked.examples(str(path))) == [{"inputs": "0 good", "targets": "1"}]
    with pytest.raises(T5MixError, match=r"no field 'Text'\. Its fields are text, label\."):
        TaskDeclaration(files=files, inputs="{Text}", targets="label").check()


def test_quotes_in_tsv_bring_a_warning_and_can_be_read(tmp_path, caplog):
    path = write(tmp_path / "a.tsv", 'text\tlabel\nSo "it" is\t0\n"She said ""no""\ttwice"\t1\n'.replace("\ttwice", ""))
    plain = TaskDeclaration(files={"train": str(path)}, inputs="{text}", targets="label")
    assert [example["inputs"] for example in plain.examples(str(path))] == ['So "it" is', '"She said ""no"""']
    plain.check()  # warns no second time
    (warning,) = caplog.messages
    assert "a.tsv, line 3: a value is in quotes" in warning
    assert "quoting: true" in warning
    quoted = TaskDeclaration(files={"train": str(path)}, inputs="{text}", targets="label", quoting=True)
    assert [example["inputs"] for example in quoted.examples(str(path))] == ['So "it" is', 'She said "no"']


def test_names_with_other_marks(tmp_path):
    """The form of the MSRP release: a byte order mark, CRLF, and names with a hash and a space."""
    path = write(tmp_path / "msr.txt", "\ufeffQuality\t#1 ID\t#1 String\t#2 String\r\n1\t7\tIt's 50%.\tHalf.\r\n")
    settings = {"format": "tsv", "inputs": "mrpc 100%: {#1 String} {{}}", "targets": "#2 String"}
    task = TaskDeclaration(files={"train": str(path)}, **settings)
    assert list(task.examples(str(path))) == [{"inputs": "mrpc 100%: It's 50%. {}", "targets": "Half."}]


@pytest.mark.parametrize(("name", "separator"), [("a.tsv", "\t"), ("a.csv", ",")])
def test_files_without_a_header_line(tmp_path, name, separator):
    path = tmp_path / name
    lines = [["gj04", "1", "", "A good one."], ["gj04", "0", "*", "One bad."]]
    path.write_text("\ufeff" + "".join(separator.join(line) + "\r\n" for line in lines))
    settings = {"files": {"train": str(path)}, "inputs": "cola: {sentence}", "targets": "label"}
    with pytest.raises(T5MixError, match=r"there is no field 'sentence'.* no header line, name its columns: columns: "):
        TaskDeclaration(**settings).check()
    task = TaskDeclaration(**settings, columns=("source", "label", "mark", "sentence"))
    task.check()
    examples = [(example["inputs"], example["targets"]) for example in task.examples(str(path))]
    assert examples == [("cola: A good one.", "1"), ("cola: One bad.", "0")]
    with pytest.raises(T5MixError, match=r"line 1: 4 columns, where the setting columns names 2 \(label, sentence\)"):
        TaskDeclaration(**settings, columns=("label", "sentence")).check()
    path.write_text("")
    with pytest.raises(T5MixError, match="holds no examples"):
        task.check()


def test_names_of_columns_are_checked():
    settings = {"files": {"train": "a.tsv"}, "inputs": "{x}", "targets": "y"}
    with pytest.raises(ValueError, match="columns names x twice"):
        TaskDeclaration(**settings, columns=("x", "y", "x"))
    with pytest.raises(ValueError, match="only TSV and CSV files have columns, and there are none"):
        TaskDeclaration(**{**settings, "files": {"train": "a.jsonl"}}, columns=("x", "y"))
