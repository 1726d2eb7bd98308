"""The demo tasks in sets.

All rates are 1.0: a mixture only names its tasks, and the run's mixing strategy says how they are mixed.
"""

from t5mix.tasks import demo  # registers the tasks
from t5mix.tensorflow_setup import seqio

SUPERVISED = tuple(demo.REFERENCE)
UNLABELLED = ("demo_text",)

for _name, _tasks in (
    ("demo", SUPERVISED),
    ("demo_pretrain", UNLABELLED),
    ("demo_all", SUPERVISED + UNLABELLED),
):
    seqio.MixtureRegistry.add(_name, [(task, 1.0) for task in _tasks])
