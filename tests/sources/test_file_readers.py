from pathlib import Path

import pytest

from t5mix.errors import T5MixError
from t5mix.sources.file_readers import as_text, columns_of, format_of, read_rows, text_rows

WIKI = " \n = Lobster = \n \n It is blue .\n It lives long .\n \n = = Diet = = \n \n Fish .\n = Crab = \n Red .\n"


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def test_tsv_keeps_quotes_and_separators_of_other_formats(tmp_path):
    path = write(tmp_path / "a.tsv", '\ufeffsentence\tlabel\nHe said "no, \u2028never"\t1\r\nb\t\n')
    rows = list(read_rows(path))
    assert [dict(row.fields) for row in rows] == [
        {"sentence": 'He said "no, \u2028never"', "label": "1"},
        {"sentence": "b", "label": ""},
    ]
    assert [row.line for row in rows] == [2, 3]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.tsv", "", ["holds no examples"]),
        ("a.tsv", "x\ty\n", ["holds no examples"]),
        ("a.tsv", "x\ty\n1\t2\n1\t2\t3\n", ["line 3", "3 columns", "names 2 (x, y)", r"1\t2\t3"]),
        ("a.tsv", "x\tx\n1\t2\n", ["line 1", "names x twice"]),
        ("a.tsv", b"x\ty\n1\t2\ncaf\xe9\t2\n", ["line 3", "not UTF-8", "0xe9", "offset 11"]),
        ("a.jsonl", '{"x": 1}\n{"x": \n', ["line 2", "not JSON", '{"x": ']),
        ("a.jsonl", "[1]\n", ["line 1", "a list, where an object"]),
        ("a.txt", "\n  \n", ["holds no examples"]),
        ("a.doc", "x\n1\n", ["a.doc", "*.tsv", "format:"]),
    ],
)
def test_bad_files_are_refused_with_their_place(tmp_path, name, content, said):
    path = write(tmp_path / name, content)
    with pytest.raises(T5MixError) as error:
        list(read_rows(path))
    assert all(part in str(error.value) for part in [*said, name]), str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(T5MixError, match=r"There is no file .*none\.tsv"):
        list(read_rows(tmp_path / "none.tsv"))


def test_an_absent_field_is_named_with_the_nearest(tmp_path):
    row = next(read_rows(write(tmp_path / "a.tsv", "sentence\tlabel\na\t1\n")))
    with pytest.raises(T5MixError, match=r"line 2: there is no field 'sentense'.*sentence, label.*'sentence'"):
        row.text("sentense")


def test_documents_of_a_wikitext_file(tmp_path):
    path = write(tmp_path / "wiki.txt", WIKI)
    assert [row.fields["text"] for row in text_rows(path, documents="articles")] == [
        "= Lobster = It is blue . It lives long . = = Diet = = Fish .",
        "= Crab = Red .",
    ]
    paragraphs = list(text_rows(path, documents="paragraphs"))
    assert [row.fields["text"] for row in paragraphs] == [
        "= Lobster =",
        "It is blue . It lives long .",
        "= = Diet = =",
        "Fish . = Crab = Red .",
    ]
    assert paragraphs[1].line == 4
    assert len(list(text_rows(path))) == 7
    assert len(list(text_rows(path, strip=False, keep_empty=True))) == 11


def test_columns_have_one_kind_each(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"a": 1, "b": ["x"], "c": "t"}\n{"a": 2.5, "b": [], "c": "u"}\n')
    with pytest.raises(T5MixError, match="field 'c' holds a number, where the rows before it hold str"):
        columns_of([*read_rows(path), next(read_rows(write(tmp_path / "b.jsonl", '{"a":1,"b":["x"],"c":3}')))])
    columns = columns_of(read_rows(path))
    assert columns == {"a": [1.0, 2.5], "b": [["x"], []], "c": ["t", "u"]}
    assert columns_of(read_rows(path), ["c"]) == {"c": ["t", "u"]}


def test_scalars_read_as_json_writes_them():
    assert [as_text(value) for value in (True, 3, 0.5, "x")] == ["true", "3", "0.5", "x"]
    assert format_of("A.JSONL") == "jsonl"
