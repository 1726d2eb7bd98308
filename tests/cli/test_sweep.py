"""What the arguments of `t5mix sweep` mean; running one is in tests/sweep/test_sweep_run.py."""

import argparse

import pytest

from t5mix.cli import sweep
from t5mix.cli.main import main


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
