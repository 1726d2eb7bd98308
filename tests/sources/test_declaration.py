import json

import pytest

from t5mix.errors import T5MixError, UnknownNameError
from t5mix.sources.declaration import TaskDeclaration, task_declaration, template_fields

FILES = {"train": "a.tsv"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"files": {}}, "files names no split"),
        ({"inputs": "x: {x}"}, "exactly one of targets and answers"),
        ({"inputs": "x: {x}", "targets": "y", "answers": "z"}, "exactly one of targets and answers"),
        ({"inputs": "sentence", "targets": "y"}, "names no field; write the field's name in braces"),
        ({"inputs": "{x.y}", "targets": "y"}, "no plain field name"),
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
    with pytest.raises(T5MixError, match=r"Declared task 'sst2'.*a\.csv"):
        task_declaration("sst2", {"files": {"train": "a.csv"}, "inputs": "{x}", "targets": "y"})


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
    path.write_text('{"q": "who", "a": []}')
    with pytest.raises(T5MixError, match="line 1: field 'a' must hold one text or a list"):
        task.check()


def test_a_list_or_an_absent_field_in_a_template_is_refused(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"q": ["a"], "t": "x"}')
    with pytest.raises(T5MixError, match="field 'q' holds a list, where text is needed"):
        TaskDeclaration(files={"train": str(path)}, inputs="{q}", targets="t").check()
    with pytest.raises(T5MixError, match=r"no field 'tt'\. Its fields are q, t"):
        TaskDeclaration(files={"train": str(path)}, inputs="{tt}", targets="t").check()
