"""What methods cost, and the Pareto front."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from t5mix.analysis.analysis import Analysis
from t5mix.analysis.costs import method_costs, pareto_front
from t5mix.analysis.results import read_results


def test_costs_are_means_over_seeds(analysis: Analysis):
    full = analysis.costs["full"]
    assert (full.learning_rate, full.steps, full.trained, full.total) == (0.002, 100, 1_657_216, 1_657_216)
    assert (full.operations, full.memory, full.training, full.evaluation) == (1.2e12, 8e8, 30.0, 12.5)


def test_a_method_with_a_run_for_each_task_pays_for_all_of_them(analysis: Analysis):
    alone = analysis.costs["alone"]
    assert alone.trained == 3 * (1_657_216 // 3**4)
    assert alone.operations == pytest.approx(1.2e12 / 2.2)
    assert (alone.training, alone.memory) == (3 * 22.0, 8e8 - 1.6e8)


def test_only_whole_seeds_count(make_sweep_folder: Callable[..., Path]):
    folder = make_sweep_folder(levels={"full": 1.0, "alone": 0.5}, single_task_baseline="alone")
    for path in (folder / "trials").iterdir():
        if path.name.startswith("alone-2") and "sentiment" in path.name:
            path.unlink()
    assert method_costs(read_results(folder))["alone"].training == 2 * 28.0
    for path in (folder / "trials").iterdir():
        if path.name.startswith("alone") and "sentiment" in path.name:
            path.unlink()
    assert "alone" not in method_costs(read_results(folder))


def test_what_is_not_known_is_none(make_sweep_folder: Callable[..., Path], edit_json: Callable[..., None]):
    folder = make_sweep_folder()

    def change(raw: dict[str, Any]) -> None:
        raw.update(operations=None, peak_memory_bytes=None)

    for path in (folder / "trials").iterdir():
        edit_json(path, change)
    cost = method_costs(read_results(folder))["full"]
    assert (cost.operations, cost.memory) == (None, None)


@pytest.mark.parametrize(
    ("points", "front"),
    [
        ({"a": (1, 1), "b": (2, 2), "c": (3, 1.5), "d": (2, 1)}, ["a", "b"]),
        ({"a": (1, 3), "b": (2, 2)}, ["a"]),
        ({"a": (1, 1), "b": (1, 1)}, ["a", "b"]),
        ({"b": (5, 9), "a": (1, 1)}, ["a", "b"]),
        ({}, []),
    ],
)
def test_the_pareto_front(points: dict, front: list[str]):
    assert pareto_front(points) == front
