import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from t5mix.config.experiment import Experiment
from t5mix.data.batch import Batch
from t5mix.data.pipeline import evaluation_batches
from t5mix.data.token_store import open_store
from t5mix.errors import T5MixError
from t5mix.runs.reference_model import reference_model
from t5mix.runs.train import train_experiment
from t5mix.tracking.run_directory import RunDirectory

Make = Callable[..., Experiment]


def test_a_second_stage_leaves_weights_that_a_third_one_takes(
    finished: Any, data: Any, experiment_of: Make, tmp_path: Path
):
    proxy = experiment_of(tmp_path / "proxy", "mixing=doremi", f"mixing.reference={finished.path}")
    assert train_experiment(proxy).finished
    weights = json.loads((tmp_path / "proxy" / "mixing_weights.json").read_text("utf-8"))["weights"]
    assert weights.keys() == {"copy", "first"}
    assert sum(weights.values()) == pytest.approx(1)
    file = tmp_path / "proxy" / "mixing_weights.json"
    final = experiment_of(tmp_path / "final", "mixing=fixed", f"mixing.task_weights={file}")
    assert train_experiment(final).finished
    assert data.requests[-1].named_tasks == ("copy", "first")
    lines = [json.loads(line) for line in (tmp_path / "final" / "metrics.jsonl").read_text("utf-8").splitlines()]
    assert lines[0]["tasks"]["copy"]["proportion"] == pytest.approx(weights["copy"])


def test_the_reference_model_gives_the_runs_own_losses(finished: Any, experiment_of: Make, tmp_path: Path):
    model = reference_model(str(finished.path))
    assert model is not None
    manifest = RunDirectory(finished.path).manifest()
    assert manifest is not None
    store = open_store(Path(manifest.task("copy").splits["validation"].path))
    total = tokens = 0.0
    for batch, _ in evaluation_batches({0: store}, experiment_of(tmp_path).training.batch_shape(16, 8)):
        typed: Batch = batch
        real = typed["decoder_segment_ids"] > 0
        total += float(np.asarray(model(typed))[real].sum())
        tokens += real.sum()
    result = RunDirectory(finished.path).result()
    assert result is not None
    assert total / tokens == pytest.approx(result["validation"]["copy"]["loss"], rel=1e-4)


def test_a_reference_that_is_no_run_is_refused_before_any_data(data: Any, experiment_of: Make, tmp_path: Path):
    proxy = experiment_of(tmp_path / "proxy", "mixing=doremi", f"mixing.reference={tmp_path / 'nothing'}")
    with pytest.raises(T5MixError, match="nothing is no run of t5mix: there is no such folder"):
        train_experiment(proxy)
    assert data.requests == []
    assert not (tmp_path / "proxy").exists()
