"""Predicting with a trained model: for lines of text, or for the inputs of a task's split."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from t5mix.cache.request_checks import check_request
from t5mix.config.reading import read_experiment
from t5mix.data.prepare_client import prepare_in_subprocess
from t5mix.data.token_store import open_store
from t5mix.data.tokenizer import Tokenizer
from t5mix.errors import T5MixError
from t5mix.evaluation.generate import generate
from t5mix.runs.load import TrainedModel
from t5mix.tracking.run_directory import RunDirectory


def task_inputs(run: Path, task: str, split: str, tokenizer: Tokenizer) -> Iterator[str]:
    """Returns the inputs of one split of a task as the model sees them.

    Args:
        run: a run's folder, whose configuration says where the task comes from and how long its inputs may be.
        task: any registered task, or one declared in the run's configuration.
        split: the split.
        tokenizer: turns tokens into text.

    Raises:
        T5MixError: the run, the task or the split does not exist.
    """
    directory = RunDirectory(run)
    experiment = read_experiment({**directory.experiment(), "mixture": [task]})
    request = directory.at_hand(experiment.data_request(splits=(split,)))
    check_request(request)
    manifest = prepare_in_subprocess(request)
    if len(manifest.tasks) != 1:
        raise T5MixError(f"{task} is a mixture of {', '.join(t.name for t in manifest.tasks)}. Name one task.")
    store = open_store(manifest.tasks[0].path(split))
    return (tokenizer.decode(store.example(index)[0].tolist()) for index in range(len(store)))


def predict_texts(
    model: TrainedModel, texts: Sequence[str], *, batch_size: int, max_length: int, task: str | None = None
) -> list[str]:
    """Returns the answers to texts, in their order.

    Args:
        model: the model.
        texts: inputs, with the prefix their task was trained with.
        batch_size: sequences decoded at once.
        max_length: the most tokens of an answer.
        task: the task whose module of a bank answers; models without a bank need none.
    """
    inputs = [np.asarray(model.tokenizer.encode(text), np.int32) for text in texts]
    outputs = generate(
        model.graphdef,
        model.params,
        inputs,
        batch_size=batch_size,
        max_length=max_length,
        task_id=model.task_id(task),
    )
    return [model.tokenizer.decode(output.tolist()) for output in outputs]


def predict_lines(
    model: TrainedModel, lines: Iterable[str], *, batch_size: int, max_length: int, task: str | None = None
) -> Iterator[tuple[str, str]]:
    """Yields (text, answer) for each line, holding no more than a few batches of them in memory."""
    stripped = (line.rstrip("\n") for line in lines)
    while block := list(itertools.islice(stripped, 16 * batch_size)):
        answers = predict_texts(model, block, batch_size=batch_size, max_length=max_length, task=task)
        yield from zip(block, answers, strict=True)
