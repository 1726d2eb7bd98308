import json
from pathlib import Path
from typing import Any

import pytest

from t5mix.errors import T5MixError
from t5mix.mixing import Fixed
from t5mix.mixing.base import MixingBudget

BUDGET = MixingBudget(100, 1000.0)


def test_weights_are_normalised_and_sizes_play_no_part():
    strategy = Fixed(task_weights={"a": 1, "b": 3})
    assert strategy.init({"a": 10**6, "b": 1}, BUDGET) == {"a": 0.25, "b": 0.75}


def test_a_weight_of_zero_is_a_task_that_is_never_drawn():
    assert Fixed(task_weights={"a": 0, "b": 3}).init({"a": 5, "b": 5}, BUDGET) == {"a": 0.0, "b": 1.0}


def test_a_file_gives_weights_too(tmp_path: Path):
    file = tmp_path / "weights.json"
    file.write_text(json.dumps({"weights": {"a": 0.2, "b": 0.6}}))
    strategy = Fixed(task_weights=str(file))
    assert strategy.named_tasks == ("a", "b")
    assert strategy.init({"a": 5, "b": 5}, BUDGET) == pytest.approx({"a": 0.25, "b": 0.75})


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({}, "is empty"),
        ({"a": -1, "b": 2}, r"has \{'a': -1\}: a weight must be 0 or more"),
        ({"a": float("nan")}, "must be 0 or more, and finite"),
        ({"a": 0, "b": 0}, "is 0 for all of a, b"),
        ("missing.json", r"there is no file missing\.json"),
    ],
)
def test_impossible_weights_are_refused(weights: Any, message: str):
    with pytest.raises(ValueError, match=message):
        Fixed(task_weights=weights)


@pytest.mark.parametrize("content", ["", "[1]", '{"proportions": {}}', '{"weights": {"a": "much"}}', '{"weights": 3}'])
def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path, content: str):
    file = tmp_path / "weights.json"
    file.write_text(content)
    with pytest.raises(ValueError, match="holds no weights"):
        Fixed(task_weights=str(file))


def test_the_tasks_must_be_those_of_the_mixture():
    strategy = Fixed(task_weights={"a": 1, "x": 3})
    with pytest.raises(T5MixError, match=r"names x, not in the mixture; it says nothing of b\. The tasks are a, b"):
        strategy.init({"a": 5, "b": 5}, BUDGET)
