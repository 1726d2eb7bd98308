"""From the words of a command to its experiment."""

import argparse
from pathlib import Path
from typing import Any

import pytest

from t5mix.cli.composing import compose_options
from t5mix.config.compose import compose_experiment
from t5mix.config.reading import read_experiment
from t5mix.errors import T5MixError
from t5mix.files import write_json
from tests.support.letters import letters_config


def composed(*overrides: str, config: str = "experiment") -> dict[str, Any]:
    return compose_options(argparse.Namespace(config=config, overrides=overrides))


def test_a_run_is_continued_by_its_folder_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.yaml").write_text(letters_config("steps: 4"))
    recorded = read_experiment(compose_experiment("own.yaml")).to_json()
    write_json(tmp_path / "moved run" / "experiment.json", {"experiment": recorded})
    (tmp_path / "own.yaml").unlink()
    assert composed("run_dir=moved run") == {**recorded, "run_dir": "moved run"}
    assert capsys.readouterr().err == "moved run is continued with the settings that it records.\n"
    assert composed("run_dir=moved run", "training.prefetch=3")["training"]["prefetch"] == 3
    assert not composed("run_dir=moved run", "mixture=demo").get("tasks")  # such a command says all by itself
    with pytest.raises(T5MixError, match="mixture is not set"):
        read_experiment(composed("run_dir=new"))
