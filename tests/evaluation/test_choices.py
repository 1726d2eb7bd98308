"""Metrics of choices over a split, while a run trains."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from t5mix.data.manifest import TaskEntry
from t5mix.data.ragged import token_batch
from t5mix.data.token_store import write_store
from t5mix.evaluation.choices import evaluate_choices

CHOICES = {"yes": (5, 1), "yes, but": (5, 9, 8, 1), "no": (7, 1)}


def test_the_split_is_scored_as_far_as_the_limit_goes(tmp_path: Path):
    targets = ["yes", "no", "yes, but", "no"]
    examples = [(np.array([20 + i, 1]), np.array(CHOICES[target])) for i, target in enumerate(targets)]
    store = write_store(tmp_path / "store", [token_batch(examples)], provenance={}, max_inputs=8, max_targets=8)
    given: list[Any] = []

    def score(inputs: Sequence[np.ndarray], choices: Sequence[Sequence[int]]) -> np.ndarray:
        given.append(([tokens.tolist() for tokens in inputs], choices))
        return np.array([[-1.0, -1.9, -3.0]] * len(inputs))

    def task(*metrics: str) -> TaskEntry:
        return TaskEntry("toy", False, {}, metrics, choices=CHOICES)

    assert evaluate_choices(score, store, task("accuracy", "choice_accuracy")) == {"choice_accuracy": 25.0}
    assert given == [([[20, 1], [21, 1], [22, 1], [23, 1]], list(CHOICES.values()))]
    both = evaluate_choices(score, store, task("choice_accuracy_by_token", "choice_accuracy"), limit=3)
    assert both.keys() == {"choice_accuracy", "choice_accuracy_by_token"}
    assert all(math.isclose(value, 100 / 3) for value in both.values())  # yes, and by token yes, but
    assert len(given[1][0]) == 3
