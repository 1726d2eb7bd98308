"""Predicting with a trained model: for lines of text, or for the inputs of a task's split."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from t5mix.cache.request_checks import check_request
from t5mix.config.reading import read_experiment
from t5mix.data.prepare_client import prepare_in_subprocess
from t5mix.data.ragged import Ragged
from t5mix.data.token_store import open_store
from t5mix.data.tokenizer import Tokenizer
from t5mix.decoding import GenerationConfig
from t5mix.errors import T5MixError
from t5mix.evaluation.generate import Generated, generate_several
from t5mix.runs.load import TrainedModel
from t5mix.sources.input_texts import InputTexts, declared_inputs
from t5mix.tracking.run_directory import RunDirectory

_BATCHES_AT_ONCE = 16  # sorted by length among themselves


def task_inputs(run: Path, task: str, split: str, tokenizer: Tokenizer) -> InputTexts:
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
    declaration = check_request(request).get(task)
    if declaration is not None and declaration.objective is None:  # which then may lack targets
        if split not in declaration.files:
            raise T5MixError(f"Task {task!r} has no split {split!r}; it has {', '.join(declaration.files)}.")
        return declared_inputs(declaration, split)
    manifest = prepare_in_subprocess(request)
    if len(manifest.tasks) != 1:
        raise T5MixError(f"{task} is a mixture of {', '.join(t.name for t in manifest.tasks)}. Name one task.")
    store = open_store(manifest.tasks[0].path(split))
    return InputTexts(lambda _: (tokenizer.decode(store.example(index)[0].tolist()) for index in range(len(store))))


class Answer(NamedTuple):
    """What a model makes of an input.

    Attributes:
        text: the input.
        prediction: the answer.
        cut: whether the input was cut to the longest that it may have.
        score: natural log-likelihood of the answer's tokens, the end-of-sequence token included.
        tokens: how many these are; an answer of `max_length` tokens may lack the end-of-sequence token.
        alternatives: further answers, if several were asked for: the next best beams, or more samples.
    """

    text: str
    prediction: str
    cut: bool
    score: float
    tokens: int
    alternatives: tuple["Answer", ...] = ()


def predict_texts(model: TrainedModel, texts: Sequence[str], *, batch_size: int, **settings: Any) -> list[str]:
    """Returns what the model makes of texts, in their order; the settings are those of `answer_texts`."""
    return [answer.prediction for answer in answer_texts(model, texts, batch_size=batch_size, **settings)]


def answer_texts(
    model: TrainedModel,
    texts: Sequence[str],
    *,
    batch_size: int,
    max_length: int,
    input_length: int | None = None,
    task: str | None = None,
    generation: GenerationConfig | None = None,
    first_number: int = 0,
) -> list[Answer]:
    """Returns the answers to texts, in their order.

    Args:
        model: the model.
        texts: inputs, with the prefix their task was trained with.
        batch_size: sequences decoded at once.
        max_length: the most tokens of an answer, unless `generation` says.
        input_length: the most tokens of an input; longer ones are cut as those of training are. None for no limit.
        task: the task whose module of a bank answers; models without a bank need none.
        generation: how to decode; None for greedily.
        first_number: the number of the first text in the data, which samples depend on.
    """
    encoded = Ragged.of([model.tokenizer.encode(text) for text in texts])
    limit = input_length or int(encoded.lengths.max(initial=1))
    outputs = generate_several(
        model.graphdef,
        model.params,
        encoded.cut(limit).rows(),
        batch_size=batch_size,
        max_length=max_length,
        generation=generation or GenerationConfig(),
        first_number=first_number,
        task_id=model.task_id(task),
    )

    def answer(text: str, cut: bool, output: Generated) -> Answer:
        return Answer(text, model.tokenizer.decode(output.tokens.tolist()), cut, output.log_prob, output.length)

    answers = []
    for text, several, cut in zip(texts, outputs, (encoded.lengths > limit).tolist(), strict=True):
        first, *others = (answer(text, cut, output) for output in several)
        answers.append(first._replace(alternatives=tuple(others)))
    return answers


def inputs_at_once(batch_size: int) -> int:
    """Returns how many inputs `predict_lines` sorts and answers together; the next ones do not depend on them."""
    return _BATCHES_AT_ONCE * batch_size


def predict_lines(
    model: TrainedModel, lines: Iterable[str], *, batch_size: int, first_number: int = 0, **settings: Any
) -> Iterator[Answer]:
    """Yields the answer to each line, holding no more than a few batches of them in memory; see `answer_texts`."""
    waiting = iter(lines)
    while block := list(itertools.islice(waiting, inputs_at_once(batch_size))):
        yield from answer_texts(model, block, batch_size=batch_size, first_number=first_number, **settings)
        first_number += len(block)
