from pathlib import Path

import pytest

from t5mix.cli.file_ahead import FileAhead
from t5mix.errors import T5MixError

DECLARED = "mixture: [mine, yours]\ntasks: {mine: {}, yours: {}, third: {}}\n"
WHOLE = """
defaults: [experiment, override mixing: equal, _self_]
mixture: [letters]
vocabulary: bytes
tasks: {letters: {files: {train: letters.tsv}, inputs: "letters: {text}", targets: label}}
"""


@pytest.mark.parametrize(
    ("content", "overrides", "expected"),
    [
        (DECLARED, [], False),
        (DECLARED, ["mixture=[mine,third]", "seed=1"], False),
        (DECLARED, ["mixture=mine,demo"], True),
        (DECLARED, ["mixture=demo"], True),
        ("mixture: mine\ntasks: {mine: {}}\n", [], False),
        ("mixture: [mine, demo]\ntasks: {mine: {}}\n", [], True),
        ("mixture: demo\n", [], True),
        ("defaults: [quickstart]\n", [], True),
        ("mixture: [mine\n", ["mixture=mine"], True),
        ("- no settings\n", ["mixture=mine"], True),
    ],
)
def test_declared_tasks_need_no_tensorflow(content: str, overrides: list[str], expected: bool, tmp_path: Path):
    (tmp_path / "mine.yaml").write_text(content)
    assert FileAhead.read(str(tmp_path / "mine.yaml"), overrides).needs_tensorflow is expected


def test_the_packages_own_configurations_need_it():
    assert FileAhead.read("quickstart", []).needs_tensorflow
    assert FileAhead.read("quickstart", ["mixture=demo"]).needs_tensorflow
    assert FileAhead.read("missing.yaml", ["mixture=mine"]).needs_tensorflow


@pytest.fixture
def checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Returns what checks a file, with a change to it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "letters.tsv").write_text("text\tlabel\na b\tone\n")

    def check(old: str = "", new: str = "", *overrides: str) -> None:
        assert old in WHOLE
        (tmp_path / "own.yaml").write_text(WHOLE.replace(old, new))
        FileAhead.read("own.yaml", overrides).check()

    return check


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("letters.tsv", "missing.tsv", r"There is no file missing\.tsv"),
        ("{text}", "{txt}", "no field 'txt'. Its fields are text, label. Did you mean 'text'"),
        ("targets", "target", "Unknown key of the declared task 'letters', 'target'"),
        ("bytes", "none.model", r"There is no vocabulary file .*none\.model"),
    ],
)
def test_mistakes_that_the_file_alone_shows_are_found(checked, old: str, new: str, said: str):
    checked()
    with pytest.raises(T5MixError, match=said):
        checked(old, new)


@pytest.mark.parametrize(
    ("old", "new", "overrides"),
    [
        ("letters.tsv", "missing.tsv", ["tasks.letters.files.train=letters.tsv"]),
        ("bytes", "none.model", ["++vocabulary=bytes"]),
        ("letters.tsv", "${oc.env:HOME}", []),
        ("[experiment,", "[base,", []),
        ("{letters: {", "{letters: [], other: {", []),
        ("bytes", "[]", []),
    ],
)
def test_what_else_decides_is_not_judged(checked, old: str, new: str, overrides: list[str]):
    checked(old, new, *overrides)


def test_a_run_that_has_its_data_may_have_lost_the_files(checked, tmp_path: Path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "data_manifest.json").write_text("{}")
    checked("letters.tsv", "missing.tsv", "run_dir=run")
    with pytest.raises(T5MixError, match=r"There is no file missing\.tsv"):
        checked("letters.tsv", "missing.tsv", "run_dir=other")
