"""A sweep from its file to its report, through the processes that train, prepare and score."""

import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from t5mix.cli.main import main
from t5mix.data.manifest import DataRequest
from t5mix.sweep.worker import RunRequest, carry_out
from tests.support.letters import letters_config

CONFIG = letters_config(
    "steps: 3, batch_size: 4, log_every: 1, checkpoint_every: 1",
    splits=("train", "validation", "test"),
    optimizer="adamw",
)
SWEEP = """
name: letters
config: own.yaml
methods:
  full: {}
  norms: {runs: [[finetuning=layer_norms]]}
seeds: [0, 1]
split: test
hypotheses:
  H: {claim: Training everything is better, better: full, worse: norms}
"""


@pytest.fixture
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    for split in ("train", "validation", "test"):
        rows = [f"{split[0]} {chr(97 + number)}\t{number % 2}" for number in range(20)]
        Path(f"{split}.tsv").write_text("\n".join(["text\tlabel", *rows]) + "\n", encoding="utf-8")
    Path("own.yaml").write_text(CONFIG, encoding="utf-8")
    Path("letters.yaml").write_text(SWEEP, encoding="utf-8")


def trials(folder: str) -> dict[str, Any]:
    """What the trials found, without what differs from run to run: times, memory and places."""
    found = {}
    for file in sorted(Path(folder, "trials").iterdir()):
        trial = json.loads(file.read_text(encoding="utf-8"))
        found[file.name] = {key: trial[key] for key in ("scores", "curves", "mixture", "parameters", "operations")}
    return found


@pytest.fixture(params=["in this process", "in processes"])
def _runs_of_the_sweep(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trains, prepares and scores in this process, which has everything loaded and compiled; or as users do."""
    if request.param == "in processes":
        return
    from t5mix.evaluation.scoring_worker import score_predictions
    from t5mix.sweep.executors import LocalExecutor

    class Done:
        def __init__(self, status: int) -> None:
            self._status = status

        def poll(self) -> int:
            return self._status

        def end(self) -> None: ...

        def wait(self, seconds: float) -> None: ...

    class Scorer(contextlib.nullcontext["Scorer"]):
        def __init__(self, request: DataRequest) -> None:
            super().__init__(self)
            self.score = functools.partial(score_predictions, request)

    def submit(self: LocalExecutor, name: str, command: list[str], log: Path, cores: int) -> Done:
        assert command[:3] == [sys.executable, "-m", "t5mix.sweep.worker"]
        return Done(carry_out(RunRequest.load(Path(command[3]))))

    prepare_here(monkeypatch)
    monkeypatch.setattr("t5mix.runs.evaluate.Scorer", Scorer)
    monkeypatch.setattr(LocalExecutor, "submit", submit)


@pytest.mark.slow
@pytest.mark.usefixtures("_folder", "_runs_of_the_sweep")
def test_a_sweep_from_file_to_report(capsys: pytest.CaptureFixture[str]):
    assert main(["sweep", "letters.yaml", "--dry-run"]) == 0
    assert "4 runs: 0 that others start from, 0 to tune learning rates, 4 to test" in capsys.readouterr().out
    assert not Path("sweeps").exists()
    assert main(["sweep", "letters.yaml", "--jobs", "2", "--cores", "1"]) == 0
    err = capsys.readouterr().err
    assert "Next: t5mix report sweeps/letters" in err
    assert "4 of 4 runs done." in err
    assert err.count("full, seed 0, test: trained and scored in ") == 1
    done = [json.loads(file.read_text("utf-8")) for file in Path("sweeps/letters/trials").iterdir()]
    assert {(trial["method"], trial["seed"]) for trial in done} == {(m, s) for m in ("full", "norms") for s in (0, 1)}
    for trial in done:
        letters = trial["scores"]["test"]["letters"]
        rows = letters["examples"]["accuracy"]["rows"]
        assert len(rows) == 20
        assert 100 * sum(row[0] for row in rows) / 20 == pytest.approx(letters["metrics"]["accuracy"])
        assert trial["curves"]["steps"] == [1, 2, 3]
        assert trial["parameters"]["trained"] <= trial["parameters"]["total"]
        assert trial["operations"] > 0
        assert {"experiment", "versions", "hardware", "data", "peak_memory_bytes", "seconds"} <= trial.keys()
    assert main(["sweep", "letters.yaml", "--jobs", "2", "--cores", "1"]) == 0  # there is nothing left to do
    assert main(["report", "sweeps/letters"]) == 0
    assert "Training everything is better" in Path("sweeps/letters/report/index.html").read_text("utf-8")

    capsys.readouterr()
    assert main(["sweep", "letters.yaml", "seeds=[0,1,2]", "--cores", "1", "--out", "sweeps/letters"]) == 2
    assert "seeds: [0, 1] there, [0, 1, 2] here" in capsys.readouterr().err

    base = next(Path("sweeps/letters/runs").glob("full-*"))
    assert main(["sweep", "letters.yaml", "model.d_ff=64", "--out", "other", f"start_from={base}"]) == 2
    assert "full: start_from: " in (error := capsys.readouterr().err)
    assert "holds another model: model.d_ff is 32 there and 64 here" in error


@pytest.mark.slow
@pytest.mark.usefixtures("_folder")
def test_a_killed_sweep_ends_as_one_that_was_not():
    command = [sys.executable, "-m", "t5mix.cli.main", "sweep", "letters.yaml", "--jobs", "2", "--cores", "1", "--out"]
    subprocess.run([*command, "whole"], check=True)
    process = subprocess.Popen([*command, "killed"])
    while not list(Path("killed").glob("runs/*/metrics.jsonl")):  # until it is in the midst of it
        assert process.poll() is None
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert len(trials("killed")) < 4
    subprocess.run([*command, "killed"], check=True)
    assert trials("killed") == trials("whole")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["metrics={letters: bleu}"], "Unknown metric of the task 'letters' 'bleu'"),
        (["tasks=[numbers]"], "Unknown task 'numbers'"),
        (["columns={A: {tasks: [words]}}"], "Unknown task 'words'"),
        (["split=dev"], "has no split 'dev'"),
        (["mixing=temprature"], "temprature"),
        (["scale=demo"], "Unknown scale 'demo'"),
        (["seeds"], "'seeds' is no setting: write key=value"),
    ],
)
@pytest.mark.usefixtures("_folder")
def test_what_is_wrong_is_said_before_the_first_trial(
    change: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    prepare_here(monkeypatch)
    assert main(["sweep", "letters.yaml", *change]) == 2
    assert message in capsys.readouterr().err
    assert not list(Path().glob("sweeps/*/runs/*"))


def prepare_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prepares data in this process: a child takes seconds to load TensorFlow."""
    from t5mix.cache.prepare_worker import prepare

    monkeypatch.setattr("t5mix.data.prepare_client.prepare_in_subprocess", prepare)
