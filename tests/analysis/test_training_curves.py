"""Curves and realised mixtures: means over seeds."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from t5mix.analysis.analysis import Analysis
from t5mix.analysis.results import read_results
from t5mix.analysis.training_curves import method_progress, realised_mixtures


def test_losses_are_means_over_seeds(analysis: Analysis):
    adapter = analysis.progress["adapter"]
    assert adapter.loss is not None
    expected = [
        np.mean([round(2 / (1 + 0.02 * s) + 0.04 + 0.01 * seed, 4) for seed in range(3)]) for s in range(10, 101, 10)
    ]
    assert adapter.loss.values == pytest.approx(expected)
    assert adapter.loss.steps.tolist() == list(range(10, 101, 10))
    # A window that held none of a task has no loss.
    assert adapter.losses["demo_sentiment"].steps.tolist() == list(range(20, 101, 10))
    assert adapter.mean_validation is not None
    assert adapter.mean_validation.steps.tolist() == [50, 100]


def test_a_method_with_a_run_for_each_task_has_no_loss_over_all_tasks(analysis: Analysis):
    alone = analysis.progress["alone"]
    assert alone.loss is None
    assert list(alone.losses) == list(alone.validation) == ["demo_sentiment", "demo_entailment", "demo_paraphrase"]
    assert not alone.adaptive


def test_only_weights_that_change_are_adaptive(analysis: Analysis):
    assert [name for name, progress in analysis.progress.items() if progress.adaptive] == ["odm"]


def test_a_mean_over_tasks_needs_all_of_them(make_sweep_folder: Callable[..., Path], edit_json: Callable[..., None]):
    folder = make_sweep_folder()
    for path in (folder / "trials").iterdir():
        edit_json(path, lambda raw: raw["curves"]["validation"].update(demo_sentiment=[None, 1.0]))
    progress = method_progress(read_results(folder))["full"]
    assert progress.mean_validation is not None
    assert progress.mean_validation.steps.tolist() == [100]
    assert progress.validation["demo_paraphrase"].steps.tolist() == [50, 100]


def test_methods_that_drew_alike_share_a_column(analysis: Analysis):
    ((names, drawn),) = analysis.mixtures.items()
    assert names == ("full", "lora, r=8", "adapter", "odm")
    assert [task.share for task in drawn.values()] == pytest.approx([1 / 4.5, 1.5 / 4.5, 2 / 4.5])
    assert drawn["demo_paraphrase"].epochs == pytest.approx(1.6 * 2 / 4.5)


def test_methods_that_drew_otherwise_have_their_own(
    make_sweep_folder: Callable[..., Path], edit_json: Callable[..., None]
):
    folder = make_sweep_folder()
    for path in (folder / "trials").iterdir():
        if path.name.startswith("lora"):
            edit_json(path, lambda raw: raw["mixture"]["demo_sentiment"].update(examples=3200.0, epochs=3.2))
    assert list(realised_mixtures(read_results(folder))) == [("full",), ("lora",)]
