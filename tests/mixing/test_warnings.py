from typing import Any

import numpy as np
import pytest

from t5mix.mixing.warnings import MixtureWarnings
from t5mix.training.config import TrainingConfig

SIZES = {"tiny": 20, "small": 500, "large": 100_000}
WARNINGS = MixtureWarnings(SIZES, warn_epochs=10, warn_examples=100)


def line(**tasks: tuple[int, float]) -> dict[str, Any]:
    return {"tasks": {name: {"examples": examples, "epochs": epochs} for name, (examples, epochs) in tasks.items()}}


def test_what_will_be_seen_too_often_or_hardly_is_foreseen():
    often, rarely = WARNINGS.before_run(np.asarray([300.0, 50.0, 7.0]))
    assert "more than 10 times (training.warn_epochs): tiny (about 15 times). mixing=unimax" in often
    assert rarely == (
        "Fewer than 100 examples will be drawn (training.warn_examples) of large (7 of 100,000) and small (50 of 500)."
    )


def test_of_many_tasks_the_worst_are_named():
    warnings = MixtureWarnings({f"task{i}": 1000 for i in range(10)}, warn_epochs=2, warn_examples=100)
    (rarely,) = warnings.before_run(np.arange(20.0, 10.0, -1))
    assert rarely.endswith("of task9 (11 of 1,000), task8 (12 of 1,000), task7 (13 of 1,000) and 7 more.")
    (often,) = warnings.before_run(np.arange(3000.0, 13_000.0, 1000))
    assert "task9 (about 12 times), task8 (about 11 times), task7 (about 10 times) and 7 more. mixing" in often


def test_a_small_task_seen_as_a_whole_is_not_hardly_seen():
    assert list(WARNINGS.before_run(np.asarray([25.0, 100.0, 100.0]))) == []
    assert "tiny (19 of 20)" in next(WARNINGS.before_run(np.asarray([19.0, 100.0, 100.0])))


def test_passing_the_bound_on_epochs_is_noticed_once():
    assert list(WARNINGS.at_log_step(line(tiny=(40, 9.5)))) == []
    assert "Task tiny has now been seen more than 10 times" in next(WARNINGS.at_log_step(line(tiny=(40, 11.5))))
    assert list(WARNINGS.at_log_step(line(tiny=(20, 12.5)))) == []


def test_after_a_run_what_was_hardly_seen_is_told():
    drawn = {"tiny": 100.0, "small": 99.0, "large": 5_000.0}
    assert list(WARNINGS.after_run(drawn)) == [
        "Fewer than 100 examples were drawn (training.warn_examples) of small (99 of 500)."
    ]
    assert list(WARNINGS.after_run(drawn, foreseen=["small", "large"])) == []


def test_bounds_can_be_lifted():
    free = MixtureWarnings(SIZES, warn_epochs=None, warn_examples=None)
    assert list(free.before_run(np.asarray([1e6, 0.0, 0.0]))) == []
    assert list(free.at_log_step(line(tiny=(40, 1e6)))) == []
    assert list(free.after_run(dict.fromkeys(SIZES, 0.0))) == []


@pytest.mark.parametrize("lag", [0, 2])
def test_a_lag_shorter_than_losses_take_is_refused(lag: int):
    with pytest.raises(ValueError, match=f"training.feedback_lag is {lag}: it must be 3 or more"):
        TrainingConfig(feedback_lag=lag)
