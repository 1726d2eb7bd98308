import numpy as np
import pytest

from t5mix.mixing import Proportional, Temperature
from t5mix.mixing.base import MixingBudget, TaskFeedback
from t5mix.mixing.task_sizes import TaskSize, TaskSizes

TASKS = [
    TaskSize("glue_rte", 2_500, 150_000, "rte"),
    TaskSize("sst2", 67_000, 1_500_000, "sst2"),
    TaskSize("super_glue_rte", 2_500, 150_000, "rte"),
]
BUDGET = MixingBudget(10, 100.0)


def draws(task_sizes: TaskSizes, strategy: Temperature | Proportional) -> list[float]:
    return task_sizes.example_proportions(strategy.proportions(strategy.init(task_sizes.sizes, BUDGET), 0)).tolist()


def test_the_same_data_under_two_names_counts_once_and_is_split_in_halves():
    task_sizes = TaskSizes(TASKS)
    assert task_sizes.sizes == {"glue_rte": 2_500, "sst2": 67_000}
    assert task_sizes.duplicates == {"glue_rte": ["glue_rte", "super_glue_rte"]}
    for strategy in (Proportional(), Proportional(max_examples=2_000), Temperature(temperature=2, max_examples=60_000)):
        rte, sst2 = strategy.rates(task_sizes.sizes).values()
        total = rte + sst2
        assert draws(task_sizes, strategy) == pytest.approx([rte / 2 / total, sst2 / total, rte / 2 / total], abs=1e-12)


def test_a_strategy_that_names_tasks_sees_all_of_them():
    task_sizes = TaskSizes(TASKS, split_duplicates=False)
    assert list(task_sizes.sizes) == ["glue_rte", "sst2", "super_glue_rte"]
    proportions = {"glue_rte": 0.2, "sst2": 0.3, "super_glue_rte": 0.5}
    assert task_sizes.example_proportions(proportions).tolist() == pytest.approx([0.2, 0.3, 0.5])


def test_counted_in_tokens_the_proportions_are_of_tokens():
    task_sizes = TaskSizes(TASKS[:2], "tokens")
    assert task_sizes.sizes == {"glue_rte": 150_000, "sst2": 1_500_000}
    examples = task_sizes.example_proportions({"glue_rte": 0.5, "sst2": 0.5})
    tokens = examples * [60.0, 1_500_000 / 67_000]
    assert examples.sum() == pytest.approx(1)
    assert tokens[0] == pytest.approx(tokens[1])
    assert task_sizes.amount(100, examples) == pytest.approx(100 * tokens.sum())


def test_in_either_unit_proportional_mixing_repeats_all_tasks_alike():
    for unit in ("examples", "tokens"):
        task_sizes = TaskSizes(TASKS[:2], unit)
        found = task_sizes.example_proportions(Proportional().init(task_sizes.sizes, BUDGET))
        assert found.tolist() == pytest.approx([2_500 / 69_500, 67_000 / 69_500])


def test_feedback_is_added_up_over_the_names_of_the_same_data():
    sums = {
        "loss_sums": np.asarray([3.0, 5.0, 1.0]),
        "loss_tokens": np.asarray([4.0, 6.0, 2.0]),
        "examples": np.asarray([2, 3, 1]),
        "tokens": np.asarray([40, 60, 20]),
    }
    proportions = {"glue_rte": 0.1, "sst2": 0.9}
    found = TaskSizes(TASKS).feedback(proportions=proportions, **sums)
    assert found == {"glue_rte": TaskFeedback(4.0, 6.0, 3, 3.0, 0.1), "sst2": TaskFeedback(5.0, 6.0, 3, 3.0, 0.9)}
    found = TaskSizes(TASKS, "tokens").feedback(
        proportions=proportions, excess_sums=np.asarray([1.0, 2.0, 0.5]), **sums
    )
    assert found["glue_rte"] == TaskFeedback(4.0, 6.0, 3, 60.0, 0.1, 1.5)


def test_tasks_that_a_batch_lacks_give_no_feedback():
    zero = np.zeros(3)
    found = TaskSizes(TASKS).feedback(
        loss_sums=zero,
        loss_tokens=zero,
        examples=np.asarray([0, 1, 0]),
        tokens=zero,
        proportions={"glue_rte": 0.1, "sst2": 0.9},
    )
    assert list(found) == ["sst2"]
