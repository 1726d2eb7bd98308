"""`t5mix mixtures show`: one strategy, several, as a table, as JSON, as a picture."""

import json
from pathlib import Path
from typing import Any

import pytest

from t5mix.cache.listing import Listing
from t5mix.cli.main import main
from t5mix.config.reading import strategy_from_dict
from t5mix.mixing import Equal, Temperature
from tests.support.stages import without_stages

SHOW = ["mixtures", "show", "copy,first", "lengths={inputs:16,targets:8}", "training.batch_size=8", "--steps", "20"]


@pytest.fixture
def data(tmp_path: Path, tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data that a child process would prepare."""
    manifest = tiny.make_manifest(tmp_path / "data", sizes={"copy": 300, "first": 100})
    monkeypatch.setattr("t5mix.data.prepare_client.prepare_in_subprocess", lambda request: manifest)


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails if any data is prepared."""

    def prepare(request: Any) -> None:
        raise AssertionError

    monkeypatch.setattr("t5mix.data.prepare_client.prepare_in_subprocess", prepare)


@pytest.mark.usefixtures("data")
def test_the_experiments_own_strategy(capsys: pytest.CaptureFixture[str]):
    assert main([*SHOW, "mixing=temperature", "mixing.temperature=1"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("copy,first: 20 steps (--steps) of 8 rows, temperature:temperature=1.0")
    row = next(line for line in out.splitlines() if "copy" in line and "300" in line)
    assert "0.7500" in row
    assert "Expected, from packing 20 batches" in out


@pytest.mark.usefixtures("data")
def test_the_steps_are_those_of_the_run(capsys: pytest.CaptureFixture[str]):
    assert main([*SHOW[:-2], "training.steps=30", "mixing=temperature", "mixing.temperature=1"]) == 0
    assert capsys.readouterr().out.startswith("copy,first: 30 steps (training.steps) of 8 rows")
    assert main([*SHOW, "training.steps=30", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["strategies"][0]["steps"] == 20


@pytest.mark.usefixtures("no_work")
def test_a_moment_after_the_run_is_refused(capsys: pytest.CaptureFixture[str]):
    assert main([*SHOW, "mixing=two_phase", "mixing.switch=20"]) == 2
    assert "mixing.switch is 20, and the run has 20 steps (training.steps): the second phase" in capsys.readouterr().err
    assert main([*SHOW, "--mixing", "equal", "--mixing", "annealed_temperature:anneal_until=21"]) == 2
    assert "--mixing annealed_temperature:anneal_until=21: mixing.anneal_until is 21, and" in capsys.readouterr().err


@pytest.mark.usefixtures("data")
def test_several_stand_side_by_side(capsys: pytest.CaptureFixture[str]):
    specs = [
        "equal",
        "annealed_temperature:initial_temperature=1,final_temperature=inf",
        "odm_prior",
        "capped:strategy=equal,max_epochs=1",
    ]
    specs.append("phases:strategies=[equal,equal],starts=[0,0.5]")
    assert main([*SHOW, *(part for spec in specs for part in ("--mixing", spec))]) == 0
    out = capsys.readouterr().out
    row = next(line for line in out.splitlines() if "copy" in line and "300" in line)
    assert "0.5000" in row
    assert "0.750→0.514" in row  # the last step is the one before T is infinite
    assert row.count("0.7500") == 1
    assert "phases: strategies=[equal,equal],starts=[0,0.5]" in out
    assert "examples a step" in out
    assert "a→b: from the first step to the last" in out
    assert "Adaptive (odm_prior): shown without feedback" in out


@pytest.mark.usefixtures("data")
def test_json_holds_all_of_it(capsys: pytest.CaptureFixture[str]):
    assert main([*SHOW, "--json", "--mixing", "equal", "--mixing", "temperature:temperature=2,max_examples=200"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["mixture"], shown["rows"], shown["mixing_unit"]) == (["copy", "first"], 8, "examples")
    even, scaled = shown["strategies"]
    assert even["mixing"] == "equal"
    assert strategy_from_dict(even["strategy"]) == Equal()
    assert strategy_from_dict(scaled["strategy"]) == Temperature(temperature=2, max_examples=200)
    assert (scaled["steps"], scaled["changes"], scaled["adaptive"]) == (20, False, False)
    assert even["examples_per_step"] > 0
    names = ("name", "size", "rate", "proportion", "first", "last", "examples", "tokens", "epochs", "truncated")
    assert [tuple(task) for task in even["tasks"]] == [names, names]
    assert [task["proportion"] for task in even["tasks"]] == [0.5, 0.5]
    assert scaled["tasks"][0]["rate"] == pytest.approx(200**0.5)


@pytest.mark.usefixtures("data")
def test_one_strategy_has_the_same_json(capsys: pytest.CaptureFixture[str]):
    assert main([*SHOW, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [strategy["mixing"] for strategy in shown["strategies"]] == ["proportional"]


@pytest.mark.usefixtures("data")
def test_a_picture_comes_with_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main([*SHOW, "--mixing", "equal", "--plot", str(tmp_path / "a.png")]) == 0
    assert "0.5000" in capsys.readouterr().out
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("data")
def test_rates_have_one_notation(capsys: pytest.CaptureFixture[str]):
    assert main([*SHOW, "mixing=temperature", "mixing.temperature=2"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith(("copy ", "first "))]
    assert [row[:4] for row in rows] == [["copy", "300", "17.3", "0.6340"], ["first", "100", "10.0", "0.3660"]]


def test_the_list_names_the_tasks(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    mixtures = {"both": ("copy", "first"), "one": ("copy",)}
    monkeypatch.setattr("t5mix.cli.mixtures.registered", lambda plugins: Listing((), mixtures))
    assert main(["mixtures"]) == 0
    assert capsys.readouterr().out.splitlines()[2:] == ["both     copy, first", "one      copy"]
    assert main(["mixtures", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"both": ["copy", "first"], "one": ["copy"]}


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--mixing", "temprature"], "t5mix: --mixing temprature: Unknown mixing strategy 'temprature'. Did you mean"),
        (
            ["--mixing", "temperature:temprature=4"],
            "t5mix: --mixing temperature:temprature=4: Unknown configuration key 'mixing.temprature'. "
            "Did you mean mixing.temperature?",
        ),
        (
            ["--mixing", "temperature:temperature=0"],
            "t5mix: --mixing temperature:temperature=0: mixing.temperature is 0",
        ),
        (
            ["--mixing", "temperature:max_examples=few"],
            "t5mix: --mixing temperature:max_examples=few: mixing.max_examples is 'few'",
        ),
        (["--mixing", "temperature:4"], "t5mix: --mixing temperature:4: '4' is not a setting: write KIND:key=value"),
        (
            ["--mixing", "capped:strategy={kind:equal,max_examples:3}"],
            "t5mix: --mixing capped:strategy={kind:equal,max_examples:3}: Unknown configuration key "
            "'mixing.strategy.max_examples'.",
        ),
        (
            ["--mixing", "equal:max_examples=3"],
            "t5mix: --mixing equal:max_examples=3: Unknown configuration key 'mixing.max_examples'. It is a setting "
            "of ",
        ),
        (
            ["--mixing", "equal:warmth=3"],
            "t5mix: --mixing equal:warmth=3: Unknown configuration key 'mixing.warmth'. mixing has no settings.",
        ),
        (["--mixing", "equal", "--mixing", "equal"], "t5mix: --mixing equal is given twice"),
        (["--plot", "a.jpg"], "t5mix: --plot a.jpg: the name must end in .png, .svg or .pdf."),
        (["--plot", "missing/a.png"], "t5mix: --plot missing/a.png: there is no folder"),
    ],
)
def test_what_cannot_be_shown_is_refused_before_any_work(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: Any
):
    monkeypatch.chdir(tmp_path)
    assert main([*SHOW, *arguments]) == 2
    assert without_stages(capsys.readouterr().err).startswith(message)
    assert list(tmp_path.iterdir()) == []
