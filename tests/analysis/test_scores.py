"""Scores of methods by task, seed and example: draws of the examples, wins, what is refused."""

import numpy as np
import pytest

from t5mix.analysis.scores import Study, TaskScores
from t5mix.errors import T5MixError, UnknownNameError


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def f1(sums: np.ndarray) -> np.ndarray:
    return 2 * sums[..., 0] / (2 * sums[..., 0] + sums[..., 1] + sums[..., 2])


def test_draws_are_resampled_examples_and_the_same_for_all_trials():
    rows = np.random.default_rng(0).integers(0, 3, (2, 3, 15, 3))
    drawn = TaskScores(f1, rows).draw(4, np.random.default_rng(7))
    places = np.random.default_rng(7).integers(15, size=(4, 15))
    expected = f1(rows[:, :, places].sum(axis=3))
    assert drawn == pytest.approx(expected)


def test_many_examples_are_drawn_in_pieces(monkeypatch: pytest.MonkeyPatch):
    scores = TaskScores.of_means(noise(2, 3, 50))
    whole = scores.draw(2000, np.random.default_rng(0)).std(axis=2)
    monkeypatch.setattr("t5mix.analysis.scores._NUMBERS_AT_ONCE", 350)
    assert scores.draw(2000, np.random.default_rng(1)).std(axis=2) == pytest.approx(whole, rel=0.1)


def test_weights_of_an_average():
    study = Study(("a",), (0,), {name: TaskScores.of_means(np.zeros((1, 1, 1))) for name in "xyz"})
    assert study.weights(None) == pytest.approx({"x": 1 / 3, "y": 1 / 3, "z": 1 / 3})
    assert study.weights("y") == {"y": 1}
    assert study.weights(["x", "z"]) == {"x": 0.5, "z": 0.5}
    assert study.weights({"x": 1, "y": 3}) == {"x": 0.25, "y": 0.75}
    with pytest.raises(UnknownNameError, match="task 'tusk'"):
        study.weights("tusk")
    with pytest.raises(T5MixError, match="weight of the task 'x'"):
        study.weights({"x": 0.0})
    with pytest.raises(T5MixError, match="average over no task"):
        study.weights([])


def test_wins_are_shares_of_tasks_and_seeds_with_ties_counted_half():
    x = np.array([[1.0, 2.0, 3.0], [1.0, 1.0, 4.0], [np.nan, np.nan, 3.0]])
    y = np.array([[5.0, 5.0, 5.0], [6.0, 6.0, np.nan], [np.nan, np.nan, np.nan]])
    tasks = {
        name: TaskScores.of_means(np.repeat(values[..., None], 2, axis=2)) for name, values in (("x", x), ("y", y))
    }
    wins = Study(("a", "b", "c"), (0, 1, 2), tasks).wins()
    assert wins.cells.tolist() == [[6, 5, 1], [5, 5, 1], [1, 1, 1]]
    assert wins.shares[0, 1] == (0.5 + 1 + 0 + 0 + 0) / 5
    assert wins.shares[0, 1] + wins.shares[1, 0] == 1
    assert wins.shares[0, 2] == 0.5
    assert wins.shares[1, 2] == 1
    only_y = Study(("a", "b", "c"), (0, 1, 2), tasks).wins("y")
    assert only_y.cells[0, 2] == 0
    assert np.isnan(only_y.shares[0, 2])


def test_rows_of_another_shape_are_refused():
    for shape in ((2, 3, 10), (2, 4, 10, 1), (3, 3, 10, 1), (2, 3, 0, 1)):
        with pytest.raises(T5MixError, match=r"'rte' have the shape .*\[2 methods, 3 seeds"):
            Study(("a", "b"), (0, 1, 2), {"rte": TaskScores(lambda sums: sums[..., 0], np.zeros(shape))})


def test_a_trial_with_some_missing_rows_is_refused():
    values = noise(2, 3, 10)
    values[1, 2, 4] = np.nan
    with pytest.raises(T5MixError, match="'b' with the seed 2 on the task 'rte'"):
        Study(("a", "b"), (0, 1, 2), {"rte": TaskScores.of_means(values)})


def test_a_metric_that_is_undefined_on_all_examples_is_refused():
    rows = np.ones((2, 3, 10, 3))
    rows[1, 0] = 0
    with pytest.raises(T5MixError, match="'cb' is undefined for the method 'b' with the seed 0"):
        Study(("a", "b"), (0, 1, 2), {"cb": TaskScores(f1, rows)})


def test_a_metric_of_another_shape_is_refused():
    with pytest.raises(T5MixError, match=r"'cb' takes sums of the shape \(6, 3\) to \(\)"):
        Study(("a", "b"), (0, 1, 2), {"cb": TaskScores(lambda sums: f1(sums).mean(), np.ones((2, 3, 10, 3)))})


def test_repeated_and_unknown_methods_are_refused():
    tasks = {"task": TaskScores.of_means(np.zeros((2, 1, 1)))}
    with pytest.raises(T5MixError, match="one method, each named once"):
        Study(("a", "a"), (0,), tasks)
    with pytest.raises(UnknownNameError, match="method 'lora'"):
        Study(("a", "b"), (0,), tasks).index("lora")
