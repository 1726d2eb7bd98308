import datetime
import json
import math
import re

import pytest

from t5mix.errors import T5MixError, UnknownNameError
from t5mix.sources.declaration import TaskDeclaration, plain_declaration, task_declaration
from t5mix.sources.templates import template_fields

FILES = {"train": "a.tsv"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"files": {}}, "files names no split"),
        ({"inputs": "x: {x}"}, "exactly one of targets and answers"),
        ({"inputs": "x: {x}", "targets": "y", "answers": "z"}, "exactly one of targets and answers"),
        ({"inputs": "sentence", "targets": "y"}, "names no field; write the field's name in braces"),
        ({"inputs": "{x} {}", "targets": "y"}, "has a field without a name; write {name}"),
        ({"inputs": "{x} }", "targets": "y"}, "has a single }; write }} for a brace that is text"),
        ({"inputs": "{x}", "targets": "{y"}, "has a single {"),
        ({"inputs": "{x}", "targets": " "}, "targets is empty"),
        ({"inputs": "{x} \ud83d", "targets": "y"}, "holds half a character"),
        ({"inputs": "{x}", "targets": "y", "labels": {0: "\ud83d"}}, "holds half a character"),
        ({"inputs": "{x}", "targets": "y", "labels": {0: "a", "0": "b"}}, "lists 0 twice"),
        ({"inputs": "{x}", "targets": "y", "delimiter": "||"}, "must be one character"),
        (
            {"files": {"train": "a.jsonl"}, "inputs": "{x}", "targets": "y", "quoting": True},
            "only TSV and CSV files have",
        ),
        ({"files": {"train": 5}}, "files.train is 5: give a file"),
        ({"files": {"train": None}}, "files.train is None: give a file"),
        ({"files": {"train": []}}, r"files.train is \[\]: give a file"),
        ({"files": {"train": ["a.tsv", 1]}}, "files.train is 1: give a file"),
        ({"files": {"train": "a.doc"}, "inputs": "{x}", "targets": "y"}, "format of a.doc is not clear from its name"),
        ({"files": {"train": {"en": "a.en", "de": 1}}}, "parallel text is a file, or a list of files"),
        ({"files": {"train": {"en": "a.en", "de": "a.de"}}, "format": "tsv"}, "names parallel text; leave format out"),
        ({"inputs": "{x}", "targets": "{y}", "labels": {0: "a"}}, "labels needs targets to be the name"),
        ({"objective": "lm", "targets": "y"}, "leave out targets"),
        ({"objective": "span_corruption", "noise_density": 1.5}, "noise_density"),
    ],
)
def test_impossible_combinations_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        TaskDeclaration(**{"files": FILES, **options})


def test_an_unknown_key_is_refused_with_the_nearest():
    with pytest.raises(UnknownNameError, match=r"'sst2', 'input'. Did you mean 'inputs'"):
        task_declaration("sst2", {"files": FILES, "input": "x"})
    with pytest.raises(T5MixError, match=r"Declared task 'sst2'.*a\.doc"):
        task_declaration("sst2", {"files": {"train": "a.doc"}, "inputs": "{x}", "targets": "y"})


def test_templates():
    assert template_fields("a {b} {{c}} {d}") == ["b", "d"]


def test_examples_of_labels(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("text\tgood\n{braces} stay\t0\nyes\t1\n")
    task = TaskDeclaration(
        files={"train": str(path)}, inputs="say: {text}", targets="good", labels={0: "bad", 1: "fine"}
    )
    assert task.fields() == ("text", "good")
    assert task.choices() == ("bad", "fine")
    assert list(task.examples(task.files["train"])) == [
        {"inputs": "say: {braces} stay", "targets": "bad"},
        {"inputs": "say: yes", "targets": "fine"},
    ]
    path.write_text("text\tgood\na\t0\nb\t2\n")
    with pytest.raises(T5MixError, match=r"a\.tsv, line 3: good is '2', which labels does not list.*0, 1"):
        task.check()


def test_booleans_and_numbers_meet_their_labels(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"x": 1.5, "y": true}\n')
    task = TaskDeclaration(files={"train": str(path)}, inputs="{x}", targets="y", labels={True: "yes", False: "no"})
    assert list(task.examples(task.files["train"])) == [{"inputs": "1.5", "targets": "yes"}]


def test_the_first_answer_is_the_target(tmp_path):
    path = tmp_path / "a.jsonl"
    rows = [{"q": "who", "a": ["Ann", "she"]}, {"q": "where", "a": "here|||there"}]
    path.write_text("\n".join(map(json.dumps, rows)))
    task = TaskDeclaration(files={"train": str(path)}, inputs="{q}", answers="a")
    assert [(row["targets"], row["answers"]) for row in task.examples(task.files["train"])] == [
        ("Ann", ["Ann", "she"]),
        ("here", ["here", "there"]),
    ]
    path.write_text('{"q": "who", "a": [["Ann"]]}\n{"q": "who", "a": ["x|||y", "z"]}')
    with pytest.raises(T5MixError, match=r"line 1: field 'a' must hold one text or a list[^\n]*\n.*line 2: the answer"):
        task.check()


@pytest.mark.parametrize(("settings", "target"), [({}, ""), ({"no_answer": "none"}, "none")])
def test_answers_may_be_empty(tmp_path, settings, target):
    path = tmp_path / "a.jsonl"
    path.write_text('{"q": "when", "a": []}\n{"q": "who", "a": ["Ann"]}\n')
    task = TaskDeclaration(files={"train": str(path)}, inputs="{q}", answers="a", **settings)
    assert [(row["targets"], row["answers"]) for row in task.examples(str(path))] == [
        (target, [target]),
        ("Ann", ["Ann"]),
    ]


def test_a_target_field_may_hold_a_list_of_references(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"q": "Hallo", "refs": ["hello", "hi"]}\n{"q": "ja", "refs": "yes"}\n{"q": "-", "refs": []}\n')
    task = TaskDeclaration(files={"train": str(path)}, inputs="{q}", targets="refs")
    assert [(row["targets"], row["answers"]) for row in task.examples(str(path))] == [
        ("hello", ["hello", "hi"]),
        ("yes", ["yes"]),
        ("", [""]),
    ]
    path.write_text('{"q": "ja", "refs": "yes"}\n{"q": "Hallo", "refs": ["hello", "hi"]}\n')
    with pytest.raises(T5MixError, match="line 2: field 'refs' holds a list, where text is needed"):
        task.check()


def test_splits_without_targets_are_for_predictions(tmp_path):
    train, column, minus = (tmp_path / name for name in ("train.tsv", "column.tsv", "minus.tsv"))
    train.write_text("text\tlabel\ngood\t1\n")
    column.write_text("text\nfine\npoor\n")
    minus.write_text("text\tlabel\nfine\t-1\npoor\t-1\n")
    files = {"train": str(train), "test": str(column), "hidden": str(minus)}
    task = TaskDeclaration(files=files, inputs="{text}", targets="label", labels={0: "bad", 1: "good"})
    task.check_beginning()
    task.check()
    assert [task.has_targets(split) for split in files] == [True, False, False]
    for split in ("test", "hidden"):
        assert list(task.inputs_only(files[split])) == [{"inputs": "fine"}, {"inputs": "poor"}]
    with pytest.raises(T5MixError, match=r"minus\.tsv, line 2: label is '-1'"):
        list(task.examples(files["hidden"]))
    with pytest.raises(T5MixError, match=r"column\.tsv, line 1: there is no field 'label'"):
        list(task.examples(files["test"]))
    with pytest.raises(T5MixError, match=r"column\.tsv, line 1: there is no field 'label'"):
        TaskDeclaration(files={"train": str(column)}, inputs="{text}", targets="label").check()  # trained on


def test_all_errors_are_told_at_once(tmp_path):
    labels = tmp_path / "labels.tsv"
    labels.write_text("text\tlabel\na\t0\nb\t2\nc\nd\t3\n")
    rows = tmp_path / "rows.tsv"
    rows.write_text("text\tlable\na\t0\n")
    files = {"train": [str(labels), str(rows), str(tmp_path / "none.tsv")]}
    task = TaskDeclaration(files=files, inputs="{text}", targets="label", labels={0: "bad", 1: "fine"})
    with pytest.raises(T5MixError) as error:
        task.check()
    lines = str(error.value).splitlines()
    assert [line.removeprefix(f"{tmp_path}/")[:27] for line in lines[:4]] == [
        "labels.tsv, line 3: label i",
        "labels.tsv, line 4: 1 colum",
        "labels.tsv, line 5: label i",
        "rows.tsv, line 1: there is ",
    ]
    assert "There is no file" in lines[4]
    assert len(lines) == 5
    labels.write_text("text\tlabel\n" + "a\t7\n" * 100)
    with pytest.raises(T5MixError) as error:
        task.check()
    assert str(error.value).count("line ") == 20
    assert str(error.value).endswith("These are the first 20; there may be more.")


def test_some_files_may_be_empty_but_not_all(tmp_path, caplog):
    for name, content in (("a", "text\tlabel\ngood\t1\n"), ("b", "text\tlabel\n"), ("c", ""), ("d", "text\n")):
        (tmp_path / f"{name}.tsv").write_text(content)
    task = TaskDeclaration(files={"train": str(tmp_path / "*.tsv")}, inputs="{text}", targets="label")
    task.check()
    assert list(task.examples(task.files["train"])) == [{"inputs": "good", "targets": "1"}]
    (warning,) = caplog.messages
    assert re.fullmatch(r".*b\.tsv, .*c\.tsv, .*d\.tsv hold no examples\.", warning)
    (tmp_path / "a.tsv").write_text("text\tlabel\n")
    for read in (task.check, task.check_beginning, lambda: list(task.examples(task.files["train"]))):
        with pytest.raises(T5MixError, match=r"a\.tsv, .*d\.tsv hold no examples"):
            read()


def test_declarations_survive_json():
    raw = {"files": FILES, "inputs": "{x}", "targets": "y", "labels": {0: "a", "unknown": 7, True: "c"}}
    sent = json.loads(json.dumps(plain_declaration("t", raw), sort_keys=True))
    assert task_declaration("t", sent).labels == {"0": "a", "unknown": "7", "true": "c"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"files": ["a.tsv", "b.tsv"]}, r"Write files: \{train: \[a\.tsv, b\.tsv\]\}"),
        ({"inputs": {"text": None}}, r'quotes: "\{text\}"'),
        ({"targets": None, "answers": {"a": None}}, "without braces: answers: a"),
    ],
)
def test_what_yaml_makes_of_slips(settings, said):
    with pytest.raises(T5MixError, match=said):
        task_declaration("t", {"files": FILES, "inputs": "{x}", "targets": "y", **settings})


def test_deeply_nested_values_are_refused(tmp_path):
    path = tmp_path / "a.jsonl"
    for depth in (10, 500, 900, 5000):
        path.write_text('{"q": "who", "a": ' + "[" * depth + "]" * depth + "}\n")
        for field in ("a", "a.text"):
            with pytest.raises(T5MixError, match="line 1: "):
                TaskDeclaration(files={"train": str(path)}, inputs="{q}", answers=field).check()


@pytest.mark.parametrize(
    ("text", "said"), [(False, '0: "no"'), (True, '0: "yes"'), (None, '0: "null"'), (["x"], "should be a valid string")]
)
def test_labels_that_yaml_reads_as_something_else(text, said):
    with pytest.raises(T5MixError, match=said):
        task_declaration("t", {"files": FILES, "inputs": "{x}", "targets": "y", "labels": {0: text}})


def test_a_list_or_an_absent_field_in_a_template_is_refused(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"q": ["a"], "t": "x"}')
    with pytest.raises(T5MixError, match="field 'q' holds a list, where text is needed"):
        TaskDeclaration(files={"train": str(path)}, inputs="{q}", targets="t").check()
    with pytest.raises(T5MixError, match=r"no field 'tt'\. Its fields are q, t"):
        TaskDeclaration(files={"train": str(path)}, inputs="{tt}", targets="t").check()


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["bad", "good"], r"Write labels: \{0: bad, 1: good\}"),
        ({datetime.date(2024, 2, 1): "x"}, 'lists 2024-02-01, which YAML does not read as text; .* "2024-02-01"'),
        ({None: "x"}, 'lists null, which YAML does not read as text; .* "null"'),
        ({0: datetime.date(2024, 2, 1)}, '2024-02-01 as text: put the label in quotes, 0: "2024-02-01"'),
        ({0: math.nan}, 'nan as text: put the label in quotes, 0: "nan"'),
    ],
)
def test_labels_that_yaml_does_not_read_as_text(labels, said):
    with pytest.raises(T5MixError, match=said):
        task_declaration("t", {"files": FILES, "inputs": "{x}", "targets": "y", "labels": labels})


def test_targets_that_may_be_missing_values_are_warned_of(tmp_path, caplog):
    path = tmp_path / "pandas.csv"
    path.write_text("text,score\na,1.5\nb,\nc,NaN\nd,2.0\n")
    task = TaskDeclaration(files={"train": str(path)}, inputs="{text}", targets="score")
    task.check()
    (warning,) = caplog.messages
    assert warning.startswith(f"{path}: 2 of 4 targets are empty or 'NaN'")
