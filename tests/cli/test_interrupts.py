"""Ctrl-C and SIGTERM at any moment of any command."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import interrupted, synthetic_sweep
from tests.support.data_files import sentences
from tests.support.letters import letters_config

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

MOMENTS = 10
_DRAFT = re.compile("-[0-9a-f]{32}$")  # what `draft_path` names
_SAME = {".model", ".svg", ".png", ".txt", ".html", ".csv", ".md", ".tex", ".npy"}
CONFIG = letters_config("steps: 40, batch_size: 4, log_every: 10, evaluate_every: 10, checkpoint_every: 10")
SWEEP = """
name: letters
config: own.yaml
methods:
  full: {}
seeds: [0]
split: validation
"""
OWN = ("--config", "own.yaml")
COMMANDS = {
    "train": ("train", *OWN, "run_dir=new", "store_dir=new_stores"),
    "lora": ("train", *OWN, "run_dir=new", "start_from=run", "finetuning=lora"),
    "eval": ("eval", "run"),
    "predict": ("predict", "run", "--input", "questions.txt", "--output", "answers.txt"),
    "predict a task": ("predict", "run", "--task", "letters", "--split", "validation", "--output", "answers.txt"),
    "tasks": ("tasks",),
    "tasks show": ("tasks", "show", "letters", *OWN),
    "mixtures": ("mixtures",),
    "mixtures show": ("mixtures", "show", "letters", *OWN, "store_dir=new_stores", "--plot", "mixture.png"),
    "curves": ("curves", "run", "--out", "curves.svg"),
    "policy show": ("policy", "show", "lora", *OWN),
    "delta": ("delta", "show", "run"),
    "export": ("export", "run", "out"),
    "import": ("import", "exported", "imported"),
    "sweep": ("sweep", "sweep.yaml", "--cores", "1", "--jobs", "1"),
    "report": ("report", "made-up", "--out", "report"),
    "vocab": ("vocab", "train", "text.txt", "--output", "new.model", "--size", "160", "--extra-ids", "40"),
}


def write_files(folder: Path) -> None:
    """Writes the files that commands without a run need."""
    rows = [f"{chr(97 + number)} {chr(98 + number % 7)}\t{number % 2}" for number in range(24)]
    for split in ("train", "validation"):
        (folder / f"{split}.tsv").write_text("\n".join(["text\tlabel", *rows]) + "\n", encoding="utf-8")
    (folder / "own.yaml").write_text(CONFIG, encoding="utf-8")
    (folder / "sweep.yaml").write_text(SWEEP, encoding="utf-8")
    (folder / "questions.txt").write_text("letters: ab ab\n" * 40, encoding="utf-8")
    (folder / "text.txt").write_text("\n".join(sentences(400)), encoding="utf-8")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that commands need, a run and a sweep among them; not to be changed."""
    folder = tmp_path_factory.mktemp("prepared") / "folder"
    folder.mkdir()
    write_files(folder)
    synthetic_sweep.make_sweep(folder / "made-up")
    for command in (("train", *OWN), ("export", "run", "exported")):
        ended = interrupted.run_command(command, folder)
        assert ended.status == 0, ended.err
    return folder


def check(ended: interrupted.Ended, number: signal.Signals, folder: Path) -> None:
    """Checks that a command has ended as it should, and left nothing half-written."""
    assert ended.status in (0, 128 + number), ended
    assert "Traceback" not in ended.err, ended.err
    assert ended.err.count("t5mix: interrupted") <= 1
    if ended.status:
        says_so = ("t5mix: interrupted", "a checkpoint is written", "The same command continues")
        last = ended.err.splitlines()[-1]
        assert any(text in last for text in says_so), ended.err
        for noise in ("tensorflow", "cuda", "Exception ignored", "Fatal", "terminate called", "E0000", "W0000"):
            assert noise not in ended.err, ended.err
    assert ended.left == []
    assert [path for path in folder.rglob(".*") if _DRAFT.search(path.name)] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_has_just_begun(tmp_path: Path, number: signal.Signals):
    write_files(tmp_path)
    ended = interrupted.run_command(("train", *OWN, "--show"), tmp_path, after=0.0, number=number)
    check(ended, number, tmp_path)
    assert (ended.status, ended.out, ended.err) == (128 + number, "", "t5mix: interrupted\n")


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_at_ten_moments(name: str, prepared: Path, tmp_path: Path):
    whole = tmp_path / "whole"
    shutil.copytree(prepared, whole)
    uninterrupted = interrupted.run_command(COMMANDS[name], whole)
    assert uninterrupted.status == 0, uninterrupted.err
    statuses = []
    for moment in range(MOMENTS):
        folder, number = tmp_path / str(moment), (signal.SIGINT, signal.SIGTERM)[moment % 2]
        shutil.copytree(prepared, folder)
        ended = interrupted.run_command(
            COMMANDS[name], folder, after=uninterrupted.seconds * moment / MOMENTS, number=number
        )
        check(ended, number, folder)
        assert differing(folder, whole) == []
        statuses.append(ended.status)
    assert any(statuses)
    again = interrupted.run_command(COMMANDS[name], tmp_path / f"{MOMENTS // 2}")
    assert again.status == 0, again.err


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_interrupted_predictions_are_continued_to_the_same_bytes(
    prepared: Path, tmp_path: Path, number: signal.Signals
):
    folder = tmp_path / "folder"
    shutil.copytree(prepared, folder)
    rows = [f'"{chr(97 + row % 26)}{", b" * (row * 7 % 11)}"' for row in range(4000)]
    (folder / "rows.csv").write_text("\n".join(["text", *rows]), encoding="utf-8")
    command = ["predict", "run", "--inputs", "letters: {text}", "--input", "rows.csv", "--json", "--scores"]
    command += ["--batch-size", "8", "--output"]
    assert interrupted.run_command([*command, "whole.jsonl"], folder).status == 0
    partial = folder / "answers.jsonl.partial"
    with subprocess.Popen(
        [sys.executable, "-m", "t5mix.cli.main", *command, "answers.jsonl"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    ) as process:
        while process.poll() is None and not (partial.exists() and partial.read_bytes().count(b"\n") > 128):
            time.sleep(0.002)
        process.send_signal(number)
        _, err = process.communicate()
    kept = len(partial.read_bytes().splitlines()) // 128 * 128
    assert 0 < kept < 4000
    if number == signal.SIGTERM:
        last = f"t5mix: interrupted. The same command continues after the {kept:,} answers in {partial.name}."
        assert err.splitlines()[-1] == last
    ended = interrupted.run_command([*command, "answers.jsonl"], folder)
    assert ended.status == 0
    assert f"Continuing after the {kept:,} answers that are there." in ended.err
    assert (folder / "answers.jsonl").read_bytes() == (folder / "whole.jsonl").read_bytes()
    assert list(folder.glob("answers.jsonl.*")) == []


def differing(folder: Path, whole: Path) -> list[Path]:
    """Returns the files that are not what the command makes if it is not interrupted, which tidies checkpoints up."""
    files = [path.relative_to(folder) for path in folder.rglob("*") if path.suffix in _SAME]
    both = [file for file in files if "checkpoints" not in file.parts and (whole / file).exists()]
    return [file for file in both if (folder / file).read_bytes() != (whole / file).read_bytes()]
