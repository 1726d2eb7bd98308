"""What the arguments of `t5mix sweep` mean; running one is in tests/sweep/test_sweep_run.py."""

import argparse
import signal

import pytest

from t5mix.cli import sweep
from t5mix.cli.main import main
from t5mix.interrupts import signal_of


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
