"""JSON Lines, arrays, and whatever is neither."""

import json
from pathlib import Path

import pytest

from t5mix.errors import T5MixError
from t5mix.sources import json_files, opening
from t5mix.sources.declaration import TaskDeclaration
from t5mix.sources.file_readers import read_rows

ROWS = [{"text": "one", "n": 1}, {"text": 'zwei\nü [{"', "n": [1, {"a": "]"}]}, {"text": "", "n": -2.5e3}]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (json.dumps(ROWS), [1, 1, 1]),
        ("\ufeff  " + json.dumps(ROWS, indent=2, ensure_ascii=False) + "\r\n", [2, 6, 15]),
        ("\n".join(map(json.dumps, ROWS)), [1, 2, 3]),  # an object after the other
        (json.dumps(ROWS[0], indent=1) + json.dumps(ROWS[1]) + "\n\n" + json.dumps(ROWS[2]), [1, 4, 6]),
    ],
)
@pytest.mark.parametrize("block", [1, 7, 1 << 18])
def test_arrays_and_sequences_of_objects(tmp_path, monkeypatch, content, lines, block):
    monkeypatch.setattr(opening, "_BLOCK", block)
    read = list(read_rows(write(tmp_path / "a.json", content)))
    assert [row.fields for row in read] == ROWS
    assert [row.line for row in read] == lines


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('[{"a": 1},\n{"a": 2}', r"line 2: not JSON \(the array is not closed; the file is cut short"),
        ('[{"a": 1},\n{"a": "x', r"line 2: not JSON \(Unterminated string"),
        ('[{"a": 1}\n{"a": 2}]', r"line 2: not JSON \(',' or '\]' expected\)"),
        ('[{"a": 1},\n{"a": 2 "b": 3}, {"a": "' + "long " * 20 + '"}]', r"line 2: not JSON \(Expecting ',' delimiter"),
        ('[{"a": 1}]\n{"a": 2}', r"line 2: not JSON \(text after the end of the array\)"),
        ('[{"a": 1},\n2]', "line 2: a number, where an object is needed: '2'"),
        ('[{"a": 1}, ["b"]]', "line 1: a list, where an object is needed"),
        ("hello", r"line 1: not JSON \(Expecting value\)"),
        ('{"a": 1},\n{"a": 2}', r"line 1: not JSON"),
        ("[" * 100_000, r"line 1: not JSON \((nested too deeply|.*cut short)"),
        ('[{"a": ' + "9" * 5000 + "}]", r"line 1: not JSON \(Exceeds the limit"),
        ('[{"a": 1},\n{"a": 2, "b": {"c": 1, "c": 2}}]', r"line 2: not JSON \(an object has the key 'c' twice\)"),
        (b'[{"a": 1},\n{"a": "caf\xe9"}]', "line 2: not UTF-8"),
        ("", "holds no examples"),
        (" [ ] \n", "holds no examples"),
    ],
)
@pytest.mark.parametrize("block", [3, 1 << 18])
def test_what_is_not_json_is_refused_with_its_line(tmp_path, monkeypatch, content, said, block):
    monkeypatch.setattr(opening, "_BLOCK", block)
    with pytest.raises(T5MixError, match=rf"a\.json,? {said}"):
        list(read_rows(write(tmp_path / "a.json", content)))


def test_a_value_without_an_end_does_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "_BLOCK", 10)
    monkeypatch.setattr(json_files, "LONGEST", 40)
    path = write(tmp_path / "a.json", '[{"a": 1},\n{"a": "' + "x" * 200)
    with pytest.raises(T5MixError, match=r"line 2: not JSON .*longer than"):
        list(read_rows(path))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"x": "a", "y": "b"}\n{"x": "a", "y": NaN}\n', r"line 2: field 'y' is nan"),
        ('{"x": "a", "y": "b"}\n{"x": -Infinity, "y": "b"}\n', r"line 2: field 'x' is -inf"),
        ('{"x": "a", "y": 1e999}\n', r"line 1: field 'y' is inf"),
        ('{"x": "a", "y": null}\n', r"line 1: field 'y' is null"),
        ('{"x": "a", "y": "b"}\n{"x": "\\udc00!", "y": "b"}\n', r"line 2: field 'x' holds half a character, \\udc00"),
        ('{"x": "a", "y": ' + "7" * 5000 + "}\n", r"line 1: not JSON \(Exceeds the limit"),
        ('{"x": "a", "y": ' + "[" * 100_000 + "\n", r"line 1: not JSON \(nested too deeply"),
        (
            '{"x": "a", "y": "b"}\n{"x": "a", "y": "b", "x": "c"}\n',
            r"line 2: not JSON \(an object has the key 'x' twice",
        ),
        ('[{"x": "a", "y": "b"},\n', r"line 1: not JSON .* If the file is an array, set format: json"),
        ('{"x": {"z": 1}, "y": "b"}\n', r"line 1: field 'x' holds an object"),
    ],
)
def test_values_that_are_no_text_are_refused_with_their_line(tmp_path, content, said):
    path = write(tmp_path / "a.jsonl", content)
    with pytest.raises(T5MixError, match=said):
        TaskDeclaration(files={"train": str(path)}, inputs="{x}", targets="y").check()


def test_what_is_wrong_with_fields_that_are_not_read_does_not_matter(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"x": "\\ud83d\\ude00", "y": "b", "z": NaN, "v": null, "w": "\\ud83d"}\n')
    task = TaskDeclaration(files={"train": str(path)}, inputs="{x}", targets="y")
    assert list(task.examples(str(path))) == [{"inputs": "\U0001f600", "targets": "b"}]


def test_nested_fields(tmp_path):
    row = {"q": {"text": "who", "id": {"n": 7}}, "a": [{"text": "Ann"}, {"text": "she"}], "a.b": "dotted"}
    path = write(tmp_path / "a.jsonl", json.dumps(row))
    files = {"train": str(path)}
    task = TaskDeclaration(files=files, inputs="{q.id.n} {q.text} {a.b}", answers="a.text")
    assert list(task.examples(str(path))) == [{"inputs": "7 who dotted", "targets": "Ann", "answers": ["Ann", "she"]}]
    for template, said in (
        ("{q.txt}", r"no field 'q\.txt'\. Its fields are q\.text, q\.id\. Did you mean 'q\.text'"),
        ("{q.text.more}", r"no field 'q\.text\.more': 'more' is looked for in a text"),
        ("{p.text}", r"no field 'p\.text'\. Its fields are q, a, a\.b"),
    ):
        with pytest.raises(T5MixError, match=rf"line 1: there is {said}"):
            TaskDeclaration(files=files, inputs=template, answers="a.text").check()
