"""The commands in poor surroundings: no locale, no home, a narrow terminal, a folder that one may not write to."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from t5mix.cache.request_checks import check_request
from t5mix.cli import train as train_command
from t5mix.cli.main import main
from t5mix.config.reading import read_experiment
from tests.cli.test_curves import make_run
from tests.support.data_files import sentences
from tests.support.stages import without_stages

POOR = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "COLUMNS": "40"}


def run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[bytes]:
    environment = {
        name: value for name, value in os.environ.items() if name not in ("HOME", "LANG", "PYTHONIOENCODING")
    }
    command = [sys.executable, "-m", "t5mix.cli.main", *arguments]
    root = str(Path(__file__).parents[2])
    return subprocess.run(
        command, capture_output=True, cwd=folder, env={**environment, **POOR, "PYTHONPATH": root}, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--help"], 0),
        (["train", "--help"], 0),
        (["trian"], 2),
        (["train", "--config", "dmo"], 2),
        (["curves", "runs/größe"], 2),
    ],
)
def test_commands_work_without_locale_and_home(arguments: list[str], status: int, tmp_path: Path):
    done = run(arguments, tmp_path)
    assert done.returncode == status
    assert b"Traceback" not in done.stdout + done.stderr
    assert bool(done.stdout) == (status == 0)


def test_a_name_that_the_locale_cannot_write_comes_out_as_it_came(tmp_path: Path):
    done = run(["curves", "runs/größe"], tmp_path)
    assert done.stderr.decode("utf-8") == "t5mix: runs/größe is no run of t5mix: there is no such folder.\n"


def test_settings_are_shown_without_locale_and_home(tmp_path: Path):
    done = run(["train", "--config", "demo", "--show"], tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith(b"run_dir: runs/demo\n")
    assert without_stages(done.stderr.decode("utf-8")) == ""


def test_a_path_is_shown_as_it_was_given(capsys: pytest.CaptureFixture[str]):
    assert main(["train", "--config", "demo", "--show", "run_dir=runs/größe"]) == 0
    assert capsys.readouterr().out.startswith("run_dir: runs/größe\n")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(13, "Permission denied", "runs/x"), "t5mix: runs/x cannot be used: Permission denied.\n"),
        (OSError(30, "Read-only file system", "runs/x"), "t5mix: runs/x cannot be used: Read-only file system.\n"),
        (OSError(28, "No space left on device", "runs/x"), "t5mix: runs/x cannot be used: No space left on device.\n"),
    ],
)
def test_a_refused_write_is_one_line(
    error: OSError, message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    def run(options: Any) -> int:
        raise error

    monkeypatch.setattr(train_command, "run", run)
    assert main(["train"]) == 2
    assert capsys.readouterr().err == message


def test_other_errors_of_files_keep_their_traceback(monkeypatch: pytest.MonkeyPatch):
    def run(options: Any) -> int:
        raise FileNotFoundError(2, "No such file or directory", "x")

    monkeypatch.setattr(train_command, "run", run)
    with pytest.raises(FileNotFoundError):
        main(["train"])


@pytest.mark.parametrize(
    ("words", "refused"),
    [
        ("train --config demo run_dir=new/run", "run_dir is new/run, and you may not write to {folder}"),
        ("sweep table10 scale=tiny", "--out is sweeps/table10-tiny, and you may not write to {folder}"),
        ("sweep table10 scale=tiny --out here", "--out is here, and you may not write to {folder}"),
        ("report made-up --out new/report", "--out is new/report, and you may not write to {folder}"),
        ("mixtures show demo --plot mixing.png", "--plot mixing.png: you may not write to {folder}"),
        ("curves run --out picture.svg", "--out picture.svg: you may not write to {folder}"),
        ("predict run --output new/answers.txt", "--output new/answers.txt: you may not write to {folder}"),
        ("vocab train a.txt --output new.model", "--output new.model: you may not write to {folder}"),
        ("delta merge run merged", "OUT is merged, and you may not write to {folder}"),
    ],
    ids=lambda value: value.split(" ")[0],
)
def test_a_folder_that_may_not_be_written_to_is_refused_before_any_work(
    words: str, refused: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path, "run", 1.25)
    (tmp_path / "a.txt").write_text("some text\n", encoding="utf-8")
    (tmp_path / "run" / "checkpoints").mkdir()
    begun = "t5mix.data.prepare_client.prepare_in_subprocess"
    monkeypatch.setattr(begun, lambda *arguments: pytest.fail("work has begun"))
    monkeypatch.setattr("os.access", lambda path, mode: Path(path) != tmp_path)
    assert main(words.split()) == 2
    assert f"t5mix: {refused.format(folder=tmp_path)}. Choose another " in capsys.readouterr().err


def test_names_of_files_and_folders_may_hold_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    name = "a b,ü=#~x"
    folder = tmp_path / name
    folder.mkdir()
    monkeypatch.chdir(folder)
    Path(f"{name}.txt").write_text("\n".join(sentences(200)), encoding="utf-8")
    assert main(["vocab", "train", f"{name}.txt", "--output", f"new {name}/{name}.model", "--size", "200"]) == 0
    make_run(folder, name, 1.25)
    assert main(["curves", name, "--out", f"{name}.svg"]) == 0
    task = f"{{files: {{train: '{name}.txt'}}, objective: lm}}"
    lines = ["defaults: [experiment, _self_]", f"vocabulary: 'new {name}/{name}.model'", f"tasks: {{notes: {task}}}"]
    Path(f"{name}.yaml").write_text("\n".join([*lines, "mixture: [notes]"]), encoding="utf-8")
    capsys.readouterr()
    settings = [f"run_dir=runs/{name}", f"store_dir={name}", f"start_from={name}"]
    assert main(["train", "--config", f"{name}.yaml", "--show", *settings]) == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert (shown["run_dir"], shown["store_dir"], shown["start_from"]) == (f"runs/{name}", name, name)
    check_request(read_experiment(shown).data_request())  # which reads the files
    assert {f"{name}.svg", f"new {name}"} <= {path.name for path in folder.iterdir()}
