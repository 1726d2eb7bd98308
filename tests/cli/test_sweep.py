"""What the arguments of `t5mix sweep` mean; running one is in tests/sweep/test_sweep_run.py."""

import argparse
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from t5mix.cli import sweep
from t5mix.cli.main import main
from t5mix.interrupts import signal_of
from tests.support.stages import without_stages


def test_settings_may_stand_before_and_after_options(monkeypatch: pytest.MonkeyPatch):
    given: list[argparse.Namespace] = []
    monkeypatch.setattr(sweep, "run", lambda options: given.append(options) or 0)
    assert main(["sweep", "table10", "scale=tiny", "--jobs", "2", "training.steps=5"]) == 0
    assert given[0].overrides == ["scale=tiny", "training.steps=5"]
    assert given[0].jobs == 2


def test_fields_of_the_file_are_told_from_settings_of_the_runs():
    given = ["scale=real", "seeds=[0,1]", "training.steps=5", "~mixing.task_weights", "shared_runs=[]"]
    settings = ["training.steps=5", "~mixing.task_weights"]
    assert sweep._changes(given) == {"scale": "real", "seeds": [0, 1], "shared_runs": [], "settings": settings}


def test_what_is_no_setting_is_refused(capsys: pytest.CaptureFixture[str]):
    assert main(["sweep", "table10", "tiny"]) == 2
    assert "'tiny' is no setting: write key=value, such as scale=tiny" in capsys.readouterr().err


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_it_with_its_status(number: signal.Signals, status: int):
    with pytest.raises(KeyboardInterrupt) as stopped, sweep._signals_as_interrupts():
        signal.raise_signal(number)
    assert 128 + (signal_of(stopped.value) or 0) == status


@pytest.mark.parametrize(("executor", "missing"), [("slurm", "srun"), ("ray", "the package ray")])
def test_an_executor_that_cannot_run_here_is_refused_before_the_plan(
    executor: str, missing: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    def find_spec(name: str, package: str | None = None) -> object:
        return None if name == "ray" else object()

    monkeypatch.setattr("importlib.util.find_spec", find_spec)
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert main(["sweep", "table10", "scale=tiny", "--executor", executor]) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"t5mix: --executor {executor} needs ")
    assert missing in message
    assert message.count("\n") == 1


@pytest.mark.parametrize("words", [["seeds=[0,1"], ["scale=tiny", "methods={"]])
def test_a_field_that_is_not_yaml_is_named(words: list[str], capsys: pytest.CaptureFixture[str]):
    assert main(["sweep", "table10", *words, "--dry-run"]) == 2
    assert f"t5mix: {words[-1]}, line 1, column " in capsys.readouterr().err


def test_a_sweep_file_that_is_not_yaml_is_named_with_line_and_column(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    (tmp_path / "bad.yaml").write_text("name: a\nmethods: [\n", encoding="utf-8")
    assert main(["sweep", str(tmp_path / "bad.yaml")]) == 2
    assert capsys.readouterr().err.startswith(f"t5mix: {tmp_path / 'bad.yaml'}, line 3, column 1: this is not YAML: ")


@pytest.mark.parametrize("command", [["train", "--config"], ["sweep"]])
def test_a_broken_file_is_found_before_anything_heavy_is_loaded(command: list[str], tmp_path: Path):
    (tmp_path / "bad.yaml").write_text("foo: [", encoding="utf-8")
    code = (
        "import sys; from t5mix.cli.main import main; status = main(sys.argv[1:]); "
        "print(status, *sorted({'jax', 'tensorflow'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command, str(tmp_path / "bad.yaml")], capture_output=True, text=True, check=True
    )
    assert done.stdout == "2\n"
    assert "bad.yaml, line 1, column 7: this is not YAML" in done.stderr


SMALL = "model={preset:tiny,d_model:16,d_ff:32,d_kv:8,num_heads:2,num_layers:1,num_decoder_layers:1}"


@pytest.fixture
def plan_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command that shows the plan of a small sweep."""
    plain: dict[str, Any] = {
        "name": "small",
        "config": "experiment",
        "settings": ["mixture=[copy]", "training.steps=1000", SMALL],
        "shared_runs": [["training.steps=3000"]],
        "methods": {"full": {}, "layer norms, and no more": {"runs": [["finetuning=layer_norms"]]}},
        "seeds": [0, 1],
        "tuning": {"learning_rates": [0.001, 0.0002], "split": "validation"},
        "split": "test",
    }
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(plain), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    return ["sweep", "small.yaml", "--dry-run", "--jobs", "2", "--cores", "1"]


def test_the_plan_is_what_a_dry_run_prints(plan_of: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(plan_of) == 0
    captured = capsys.readouterr()
    assert without_stages(captured.err, "Loading JAX", "Planning and checking all runs") == ""
    title, headings, _, full, layer_norms, sentence = captured.out.splitlines()
    assert title == "small"
    assert headings.split("  ")[0] == "method"
    assert full.split() == ["full", "2", "2", "1,000", "0.0002,", "0.001", "0,", "1"]
    assert layer_norms.startswith("layer norms, and no more ")
    assert sentence.startswith(
        "9 runs: 1 that others start from, 4 to tune learning rates, 4 to test; 7 of them train, "
    )
    assert "9,000 steps; 2 at once, each on 1 of the cores; " in sentence
    assert sentence.endswith("in sweeps/small.")
    assert not (tmp_path / "sweeps").exists()
    assert main([*plan_of, "--json"]) == 0
    captured = capsys.readouterr()
    plan = json.loads(captured.out)
    assert without_stages(captured.err, "Loading JAX", "Planning and checking all runs") == ""
    assert (plan["sweep"], plan["runs"], plan["trained_runs"], plan["steps"]) == ("small", 9, 7, 9000)
    assert (plan["parent_runs"], plan["tuning_runs"], plan["test_runs"]) == (1, 4, 4)
    assert plan["methods"][0] == {
        "method": "full",
        "tuning_runs": 2,
        "test_runs": 2,
        "steps": [1000],
        "learning_rates": [0.0002, 0.001],
        "seeds": [0, 1],
    }


def test_json_is_of_the_plan_alone(capsys: pytest.CaptureFixture[str]):
    assert main(["sweep", "table10", "--json"]) == 2
    assert "--json is for the plan: give it together with --dry-run." in capsys.readouterr().err
