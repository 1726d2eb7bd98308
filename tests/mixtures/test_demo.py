"""The demo mixtures hold the tasks that their names say, at equal rates."""

import pytest

from t5mix.mixtures import demo
from t5mix.tasks.demo import REFERENCE
from t5mix.tensorflow_setup import seqio


@pytest.mark.parametrize(
    ("mixture", "tasks"),
    [
        ("demo", set(REFERENCE)),
        ("demo_pretrain", {"demo_text"}),
        ("demo_all", {*REFERENCE, "demo_text"}),
    ],
)
def test_tasks_and_rates(mixture: str, tasks: set[str]):
    registered = seqio.MixtureRegistry.get(mixture)
    assert {task.name for task in registered.tasks} == tasks
    assert {registered.get_rate(task) for task in registered.tasks} == {1.0}


def test_the_supervised_tasks_are_ten():
    assert len(demo.SUPERVISED) == len(set(demo.SUPERVISED)) == 10
