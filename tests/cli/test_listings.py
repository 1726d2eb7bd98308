"""Every command that prints a table: on a terminal of 40 columns, into a closed pipe, and to a full disk."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from t5mix.analysis.analysis import analyze
from t5mix.analysis.results import read_results
from t5mix.checkpoint.reader import Base
from t5mix.cli import report, sweep
from t5mix.cli.main import main
from t5mix.cli.standard_output import CLOSED_PIPE, written_out
from t5mix.console.tables import TextTable
from t5mix.metrics.example_scores import TaskEvaluation
from t5mix.runs.deltas import CheckpointContents
from t5mix.sweep.plan_summary import MethodPlan, PlanSummary
from tests.cli.test_curves import make_run
from tests.cli.test_mixtures import SHOW as SHOW_MIXTURE
from tests.cli.test_policy import BATCH
from tests.support.listings import NAME, set_listings
from tests.support.synthetic_sweep import make_sweep
from tests.support.terminal import set_terminal

COLUMNS = 40
Command = Callable[[], Any]


def _tasks(monkeypatch: pytest.MonkeyPatch, folder: Path, tiny: Any) -> Command:
    set_listings(monkeypatch)
    return lambda: main(["tasks"])


def _show_task(monkeypatch: pytest.MonkeyPatch, folder: Path, tiny: Any) -> Command:
    set_listings(monkeypatch)
    return lambda: main(["tasks", "show", NAME])


def _mixtures(monkeypatch: pytest.MonkeyPatch, folder: Path, tiny: Any) -> Command:
    set_listings(monkeypatch)
    return lambda: main(["mixtures"])


def _show_mixture(monkeypatch: pytest.MonkeyPatch, folder: Path, tiny: Any) -> Command:
    manifest = tiny.make_manifest(folder / "data", sizes={"copy": 300, "first": 100})
    monkeypatch.setattr("t5mix.data.prepare_client.prepare_in_subprocess", lambda request: manifest)
    return lambda: main(SHOW_MIXTURE)


def _compare_mixtures(monkeypatch: pytest.MonkeyPatch, folder: Path, tiny: Any) -> Command:
    _show_mixture(monkeypatch, folder, tiny)
    return lambda: main([*SHOW_MIXTURE, "--mixing", "equal", "--mixing", "temperature:temperature=2,max_examples=200"])


def _policies(monkeypatch: pytest.MonkeyPatch, folder: Path, tiny: Any) -> Command:
    return lambda: main(["policy"])


def _show_policy(monkeypatch: pytest.MonkeyPatch, folder: Path, tiny: Any) -> Command:
    return lambda: main(["policy", "show", "lora", *BATCH])


def _curves(monkeypatch: pytest.MonkeyPatch, folder: Path, tiny: Any) -> Command:
    monkeypatch.chdir(folder)
    runs = [str(make_run(Path(), name, 1.25)) for name in ("a_run", "another_run")]
    monkeypatch.setattr("t5mix.plots.style.save", lambda *arguments: None)
    return lambda: main(["curves", *runs, "--out", "curves.svg"])


def _deltas(monkeypatch: pytest.MonkeyPatch, folder: Path, tiny: Any) -> Command:
    base = Base(Path("runs/base/checkpoints/3"), "ab" * 32)
    contents = CheckpointContents(Path("runs/lora/checkpoints/7"), {"kind": "lora"}, base, 1200, 50_000, None)
    monkeypatch.setattr("t5mix.runs.deltas.inspect_checkpoint", lambda path: contents)
    return lambda: main(["delta", "show", "runs/lora"])


def _scores(monkeypatch: pytest.MonkeyPatch, folder: Path, tiny: Any) -> Command:
    scores = {"demo_acceptability": TaskEvaluation({"loss": 1.005, "token_accuracy": 79.5, "matthews": -1.25})}
    monkeypatch.setattr("t5mix.runs.evaluate.evaluate_run", lambda run, **options: scores)
    return lambda: main(["eval", str(folder)])


def _plan(monkeypatch: pytest.MonkeyPatch, folder: Path, tiny: Any) -> Command:
    method = MethodPlan("adapter, d=128", 9, 15, (1000, 20_000), (0.001, 0.002, 0.004), (0, 1, 2, 3, 4))
    summary = PlanSummary((method,), parent_runs=1)
    numbers = {"trained_runs": 25, "steps": 99_000, "at_once": 2, "cores": 1, "seconds": 90.0, "disk_bytes": 10**9}
    show = written_out(sweep._show_plan)  # as the command is
    return lambda: show({**numbers, "folder": "sweeps/x"}, summary, "Methods", stderr=False)


def _report(monkeypatch: pytest.MonkeyPatch, folder: Path, tiny: Any) -> Command:
    analysis = analyze(read_results(make_sweep(folder / "made-up")))
    show = written_out(report._show)
    return lambda: show(analysis)


LISTINGS = (
    *(_tasks, _show_task, _mixtures, _show_mixture, _compare_mixtures, _policies, _show_policy),
    *(_curves, _deltas, _scores, _plan, _report),
)


every_listing = pytest.mark.parametrize("listing", LISTINGS, ids=lambda listing: listing.__name__.strip("_"))


@every_listing
def test_a_narrow_terminal_gets_all_of_it_in_whole_words(
    listing: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny: Any, capsys: pytest.CaptureFixture[str]
):
    command = listing(monkeypatch, tmp_path, tiny)
    command()
    in_a_pipe = capsys.readouterr().out
    lines: list[str] = []
    first_headings: set[str] = set()
    fitted = TextTable.lines

    def noted(table: TextTable, width: int | None) -> list[str]:
        assert width == COLUMNS
        lines.extend(fitted(table, width))
        first_headings.update(table._headings[0].split())  # which a block does without
        return fitted(table, width)

    monkeypatch.setattr(TextTable, "lines", noted)
    terminal = set_terminal(monkeypatch, COLUMNS)
    command()
    assert lines
    for line in lines:
        assert len(line) <= COLUMNS or len(line.split()) == 1, line  # a name that is longer stands alone
    whole = {word for word in in_a_pipe.split() if set(word) - set("-─")}
    assert whole - first_headings <= set(re.sub(r"\x1b\[[\d;]*m", "", terminal.getvalue()).split())  # without styles


@every_listing
@pytest.mark.parametrize(
    ("output", "status", "message"),
    [
        ("closed pipe", CLOSED_PIPE, []),
        (
            "/dev/full",
            2,
            ["t5mix: The output could not be written: No space left on device. Make room, and run it again."],
        ),
    ],
    ids=["closed pipe", "full disk"],
)
def test_output_that_cannot_be_written(
    listing: Any,
    output: str,
    status: int,
    message: list[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    tiny: Any,
    capsys: pytest.CaptureFixture[str],
):
    command = listing(monkeypatch, tmp_path, tiny)
    if output == "closed pipe":
        read, write = os.pipe()
        os.close(read)
    else:
        write = os.open(output, os.O_WRONLY)
    with open(write, "w", encoding="utf-8") as out:
        monkeypatch.setattr("sys.stdout", out)
        assert command() == status
    said = capsys.readouterr().err
    assert [line for line in said.splitlines() if "t5mix" in line or "Error" in line] == message
