"""Predictions on disk: JSON Lines, one file for each task and split, readable by people and by `score`."""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from t5mix.data.token_store import TokenStore
from t5mix.errors import T5MixError
from t5mix.files import atomic_write


class TokenDecoder(Protocol):
    """Turns tokens into text (`t5mix.data.tokenizer.Tokenizer`)."""

    def decode(self, tokens: Sequence[int], /) -> str:
        """Returns the text of `tokens`, up to the end of the sequence."""
        ...


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What a model made of one example.

    Attributes:
        index: the example's position in its store.
        input: the input as the model saw it, decoded.
        target: the target, decoded.
        prediction: the model's output, decoded.
        target_log_prob: natural log-likelihood of the target's tokens given the input, where it was computed;
            seqio's score metrics need it.
        choice_log_probs: that of each label that the task has, by its text, where they were computed; metrics of
            choices need them.
    """

    index: int
    input: str
    target: str
    prediction: str
    target_log_prob: float | None = None
    choice_log_probs: Mapping[str, float] | None = None


def predictions_path(folder: str | Path, task: str, split: str) -> Path:
    """Returns where the predictions for one split of one task lie."""
    return Path(folder) / split / f"{task}.jsonl"


def decoded(
    store: TokenStore,
    outputs: Sequence[np.ndarray],
    tokenizer: TokenDecoder,
    target_log_probs: Sequence[float] | np.ndarray | None = None,
    choices: Sequence[str] = (),
    choice_log_probs: np.ndarray | None = None,
) -> Iterator[Prediction]:
    """Yields the predictions of a whole store as text, in its order.

    Args:
        store: the examples.
        outputs: one token sequence for each example, as `generate` returns them.
        tokenizer: the vocabulary of both.
        target_log_probs: one log-likelihood for each example, as `score_targets` returns them.
        choices: the labels of the task, if they were scored.
        choice_log_probs: [examples, labels], as `score_choices` returns them.

    Raises:
        ValueError: there are more outputs than examples or fewer.
    """
    if len(outputs) != len(store):
        raise ValueError(f"{len(outputs)} outputs for the {len(store)} examples of {store.path}")
    for index, output in enumerate(outputs):
        inputs, targets = store.example(index)
        texts = [tokenizer.decode(tokens.tolist()) for tokens in (inputs, targets, output)]
        log_prob = None if target_log_probs is None else float(target_log_probs[index])
        scores = None if choice_log_probs is None else dict(zip(choices, choice_log_probs[index].tolist(), strict=True))
        yield Prediction(index, *texts, target_log_prob=log_prob, choice_log_probs=scores)


def write_predictions(path: Path, predictions: Iterable[Prediction]) -> int:
    """Writes the predictions to `path`, all or nothing, and returns how many there were."""
    count = 0
    with atomic_write(path) as file:
        for prediction in predictions:
            row = {name: value for name, value in dataclasses.asdict(prediction).items() if value is not None}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    return count


def read_predictions(path: Path) -> list[Prediction]:
    """Reads what `write_predictions` wrote.

    Raises:
        T5MixError: there is no such file, or a line of it is no prediction.
    """
    if not path.exists():
        raise T5MixError(f"There are no predictions at {path}.")
    predictions = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                predictions.append(Prediction(**json.loads(line)))
            except (ValueError, TypeError) as error:
                raise T5MixError(f"Line {number} of {path} is no prediction: {error}.") from error
    return predictions
