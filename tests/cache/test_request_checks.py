"""What is wrong with a request is found without TensorFlow, and before it is loaded."""

import contextlib
import sys
from pathlib import Path
from typing import Any

import pytest

from t5mix.cache.listing import Listing, RegisteredTask
from t5mix.cache.request_checks import check_known, check_request
from t5mix.cli.main import main
from t5mix.errors import T5MixError, UnknownNameError

TASK: dict[str, Any] = {"files": {"train": "a.tsv"}, "inputs": "{text}", "targets": "label"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, None),
        ({"files": {"train": "a.tsv", "test": "b.tsv"}}, r"'reviews': There is no file b\.tsv \(working directory"),
        ({"files": {"train": ["a.tsv", "part-*.tsv"]}}, r"No file matches part-\*\.tsv"),
        ({"files": "a.tsv"}, r"files is 'a\.tsv': .* Write files: \{train: a\.tsv\}"),
        ({"inputs": "{txt}"}, r"a\.tsv, line 1: there is no field 'txt'\. Its fields are text, label"),
        ({"targets": {"label": None}}, r"targets is \{'label': None\}: .* Put the template in quotes: \"\{label\}\""),
        ({"metrics": ["acuracy"]}, r"Unknown metric 'acuracy'\. Did you mean 'accuracy'"),
        ({"metrics": "accuracy"}, r"metrics is 'accuracy'"),
        ({"labels": {"1": "good"}}, r"label is '0', which labels does not list"),
        ({"documents": "line"}, r"documents is 'line': input should be 'lines', 'paragraphs' or 'articles'"),
        ({"format": "xlsx"}, r"format is 'xlsx': input should be 'tsv', 'csv', 'jsonl', .* or 'text'"),
        ({"objective": "span_coruption"}, r"objective is 'span_coruption': input should be 'span_corruption' or 'lm'"),
        ({"labels": {0: "a"}, "metrics": ["choice_accuracy"]}, None),
        ({"metrics": ["choice_accuracy"]}, "'choice_accuracy' cannot score text: it chooses among labels"),
        (
            {"labels": {0: "a", 1: "ab" * 12}, "metrics": ["accuracy", "choice_accuracy_by_token"]},
            r"the label 'abab.*' has \d\d tokens where lengths\.targets allows 24, and whole labels are needed for "
            r"choice_accuracy_by_token\. Set lengths\.targets to \d\d or more, shorten the label, or leave",
        ),
        (
            {"labels": {0: "a", 1: "ö", 2: "é"}, "metrics": ["choice_accuracy"]},
            "The vocabulary writes the labels 'ö' and 'é' alike",
        ),
        ({"inputs": "text"}, r"'reviews': inputs 'text' names no field; write the field's name in braces, \{name\}\.$"),
    ],
)
def test_a_declaration_is_checked(
    changes: dict[str, Any], said: str | None, make_request: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    Path("a.tsv").write_text("text\tlabel\nfine\t0\n", encoding="utf-8")
    request = make_request(mixture=("reviews",), declared={"reviews": {**TASK, **changes}})
    if said is None:
        assert list(check_request(request)) == ["reviews"]
        return
    with pytest.raises(T5MixError, match=said) as error:
        check_request(request)
    assert "Declared task 'reviews'" in str(error.value)


def test_files_of_tasks_that_are_not_asked_for_may_be_missing(make_request: Any, declared: dict[str, Any]):
    check_request(make_request(mixture=("declared_text",), declared={**declared, "elsewhere": TASK}))


def test_a_vocabulary_is_needed_and_loaded(make_request: Any, data_files: dict[str, str]):
    with pytest.raises(T5MixError, match=r"declared in configuration and bring no vocabulary. Set vocabulary"):
        check_request(make_request(vocabulary=None))
    with pytest.raises(T5MixError, match="There is no vocabulary file"):
        check_request(make_request(vocabulary="none.model"))
    with pytest.raises(T5MixError, match="is not a SentencePiece model"):
        check_request(make_request(vocabulary=data_files["text_train"]))


class _Forbidden:
    """A module that must not be used."""

    def __getattr__(self, name: str) -> Any:
        pytest.fail(f"{name} is used before the settings are checked")


@pytest.mark.parametrize(
    "command",
    [
        ["train", "--config", "mine.yaml"],
        ["tasks", "show", "reviews", "--config", "mine.yaml"],
        ["mixtures", "show", "reviews", "--config", "mine.yaml"],
        ["sweep", "sweep.yaml", "--dry-run"],
    ],
    ids=lambda command: command[0],
)
def test_commands_find_it_before_any_work(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    Path("mine.yaml").write_text(
        "defaults: [experiment, _self_]\nrun_dir: runs/mine\nvocabulary: none.model\nmixture: [reviews]\n"
        'tasks: {reviews: {files: {train: a.tsv}, inputs: "{text}", targets: label}}\n',
        encoding="utf-8",
    )
    Path("sweep.yaml").write_text(
        "name: small\nconfig: mine.yaml\nseeds: [0]\nmethods: {full: {runs: [[finetuning=full]]}}\n",
        encoding="utf-8",
    )
    monkeypatch.setitem(sys.modules, "t5mix.cache.inspection", _Forbidden())  # type: ignore[arg-type]
    forbidden = _Forbidden()
    # The child that prepares data starts meanwhile.
    monkeypatch.setattr("t5mix.data.prepare_client.early_preparation", lambda **_: contextlib.nullcontext())
    monkeypatch.setattr("t5mix.subprocesses.subprocess", forbidden)
    monkeypatch.setattr("t5mix.runs.train.training_phases", lambda experiment: forbidden.phases)
    monkeypatch.setattr("t5mix.sweep.plan.training_phases", lambda experiment: forbidden.phases)
    assert main(command) == 2
    message = capsys.readouterr().err
    assert f"There is no vocabulary file {tmp_path / 'none.model'}" in message
    assert "`t5mix vocab train FILES --output FILE.model` makes one" in message
    assert not Path("runs").exists()


def test_names_that_nobody_registered_are_found_if_the_list_is_kept(make_request: Any, monkeypatch: pytest.MonkeyPatch):
    request = make_request(mixture=("demo", "declared_text", "demo_sentimant"))
    check_known(request)  # no list is kept
    listing = Listing((RegisteredTask("demo_sentiment", (), "", {}, (), ()),), {"demo": ()})
    monkeypatch.setattr("t5mix.cache.request_checks.kept_listing", lambda plugins: listing)
    monkeypatch.setattr("t5mix.cache.request_checks.may_be_out_of_date", lambda: False)
    with pytest.raises(UnknownNameError, match=r"'demo_sentimant'\. Did you mean 'demo_sentiment'"):
        check_known(request)
    check_known(make_request(mixture=("demo", "declared_text", "demo_sentiment")))
    monkeypatch.setattr("t5mix.cache.request_checks.may_be_out_of_date", lambda: True)
    check_known(request)
