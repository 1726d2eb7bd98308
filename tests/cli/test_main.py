import importlib.util
from pathlib import Path
from typing import Any

import pytest
import yaml

from t5mix import __version__
from t5mix.cli import train as train_command
from t5mix.cli.main import main
from t5mix.cli.parser import build_parser
from t5mix.errors import T5MixError
from t5mix.training.job import Outcome
from tests.support.stages import without_stages


def test_without_a_command_help_is_shown(capsys: pytest.CaptureFixture[str]):
    assert main([]) == 0
    out = capsys.readouterr().out
    for command in ("train", "eval", "predict", "tasks", "mixtures", "curves", "policy", "delta", "vocab"):
        assert f"\n    {command} " in out


def test_every_command_has_a_module_and_help(capsys: pytest.CaptureFixture[str]):
    for command in ("train", "eval", "predict", "tasks", "mixtures", "curves", "policy", "delta", "vocab"):
        with pytest.raises(SystemExit) as ended:
            main([command, "--help"])
        assert ended.value.code == 0
        assert "usage: t5mix" in capsys.readouterr().out
    arguments = (["train"], ["eval", "r"], ["predict", "r"], ["tasks"], ["mixtures"], ["curves", "r"], ["policy"])
    modules = {build_parser().parse_args(argv).module for argv in arguments}
    for module in modules | {"t5mix.cli.vocabulary", "t5mix.cli.delta"}:
        assert importlib.util.find_spec(module) is not None


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"t5mix {__version__}\n"


def test_an_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["trane"])
    assert ended.value.code == 2
    assert "trane" in capsys.readouterr().err


def test_show_prints_what_can_be_run(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    arguments = ["run_dir=r", "mixture=demo", "mixing=temperature", "mixing.temperature=4", "training.steps=9"]
    assert main(["train", "--show", *arguments]) == 0
    shown = capsys.readouterr().out
    plain = yaml.safe_load(shown)
    assert plain["mixing"] == {"kind": "temperature", "temperature": 4.0, "max_examples": None}
    assert plain["training"]["steps"] == 9
    (tmp_path / "shown.yaml").write_text(f"defaults:\n  - experiment\n  - _self_\n{shown}", encoding="utf-8")
    assert main(["train", "--show", "--config", str(tmp_path / "shown.yaml")]) == 0
    assert yaml.safe_load(capsys.readouterr().out) == plain


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train"], "t5mix: run_dir is not set"),
        (["train", "run_dir=r"], "t5mix: mixture is not set"),
        (["train", "--config", "dmo"], "t5mix: Unknown configuration 'dmo'. Did you mean 'demo'"),
        (["train", "--config", "no.yaml"], "t5mix: The configuration file no.yaml is missing."),
        (["train", "--config", "demo", "trainin.steps=5"], "t5mix: Unknown configuration key 'trainin'."),
        (["train", "--config", "demo", "training.steps=0"], "t5mix: training.steps is 0: it must be 1 or more."),
        *(
            ([*command, "nowhere"], "t5mix: nowhere is no run of t5mix: there is no such folder.\n")
            for command in (["eval"], ["predict"], ["curves"], ["delta", "show"])
        ),
        (["predict", "nowhere", "--input", "no.txt"], "t5mix: There is no file no.txt (working directory: "),
    ],
)
def test_what_the_user_can_mend_is_one_message_and_status_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: Any
):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert without_stages(captured.err).startswith(message)
    assert captured.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("outcome", "status", "message"),
    [
        (Outcome(7, finished=True), 0, "Done: 7 steps in r. Next: t5mix eval r"),
        (
            Outcome(3, finished=False, signal="SIGTERM"),
            143,
            "Stopped by SIGTERM after step 3; a checkpoint is written.",
        ),
        (Outcome(3, finished=False, signal="SIGINT"), 130, "The same command continues from there."),
    ],
)
def test_train_says_how_it_ended(
    outcome: Outcome, status: int, message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    from t5mix.runs import train as module

    monkeypatch.setattr(module, "train_experiment", lambda experiment: outcome)
    assert main(["train", "run_dir=r", "mixture=demo"]) == status
    assert message in capsys.readouterr().err
    assert main(["train", "run_dir=a b", "mixture=demo"]) == status
    assert ("t5mix eval 'a b'\n" in capsys.readouterr().err) == (status == 0)  # to be copied to a shell


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (T5MixError("mend it"), 2, "t5mix: mend it\n"),
        (KeyboardInterrupt(), 130, "t5mix: interrupted\n"),
    ],
)
def test_errors_become_statuses(
    error: BaseException, status: int, message: str, capsys: pytest.CaptureFixture[str], monkeypatch: Any
):
    def run(options: Any) -> int:
        raise error

    monkeypatch.setattr(train_command, "run", run)
    assert main(["train"]) == status
    assert capsys.readouterr().err == message


def test_errors_that_are_not_the_users_keep_their_traceback(monkeypatch: pytest.MonkeyPatch):
    def run(options: Any) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(train_command, "run", run)
    with pytest.raises(ZeroDivisionError):
        main(["train"])
