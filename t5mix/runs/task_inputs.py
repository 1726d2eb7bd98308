"""The inputs of a registered task's split, as text, for prediction."""

from collections.abc import Iterator
from pathlib import Path

from t5mix.data.preparation import prepare_in_child
from t5mix.data.store import open_store
from t5mix.data.text import TextCodec
from t5mix.errors import T5MixError
from t5mix.experiment import read_experiment
from t5mix.training.run_directory import RunDirectory


def task_inputs(run: Path, task: str, split: str, codec: TextCodec) -> Iterator[str]:
    """Returns the inputs of one split of a task as the model sees them.

    Args:
        run: a run's folder, whose configuration says where the task comes from and how long its inputs may be.
        task: any registered task, or one declared in the run's configuration.
        split: the split.
        codec: turns tokens into text.

    Raises:
        T5MixError: the run, the task or the split does not exist.
    """
    experiment = read_experiment({**RunDirectory(run).experiment(), "mixture": [task]})
    lock = prepare_in_child(experiment.data_request(splits=(split,)))
    if len(lock.tasks) != 1:
        raise T5MixError(f"{task} is a mixture of {', '.join(t.name for t in lock.tasks)}. Name one task.")
    store = open_store(lock.tasks[0].path(split))
    return (codec.decode(store.example(index)[0].tolist()) for index in range(len(store)))
