"""Post-processors of seqio tasks: from decoded text to what a metric compares.

Each is a function `(decoded, example=None, is_target=False)`. seqio calls it once for the target, with the
example and `is_target=True`, and once for the prediction.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from t5mix.errors import T5MixError

INVALID = "<no label>"
ANSWER_SEPARATOR = "|||"

Postprocessor = Callable[..., Any]


def string(decoded: str, example: Mapping[str, Any] | None = None, is_target: bool = False) -> str:
    """Returns the text without white space around it."""
    return _text(decoded).strip()


def label_choice(choices: Sequence[str]) -> Postprocessor:
    """Returns a post-processor that keeps the labels `choices` and makes anything else `INVALID`.

    Args:
        choices: every label the task can have, as its preprocessor writes them.
    """
    labels = frozenset(choices)

    def label_choice(decoded: str, example: Mapping[str, Any] | None = None, is_target: bool = False) -> str:
        text = _text(decoded).strip()
        if text in labels:
            return text
        if is_target:
            raise T5MixError(f"The target {text!r} is none of the task's labels: {', '.join(choices)}.")
        return INVALID

    return label_choice


def grouped_label(choices: Sequence[str], field: str) -> Postprocessor:
    """Returns a post-processor like `label_choice` whose targets carry their group (MultiRC).

    Args:
        choices: every label.
        field: the example's field that names its group, such as the question's id.

    Returns:
        A function that gives {"group", "label"} for targets and the label alone for predictions, as
        `metrics.group_exact_match` and `metrics.on_labels` take them.
    """
    choose = label_choice(choices)

    def grouped_label(decoded: str, example: Mapping[str, Any] | None = None, is_target: bool = False) -> Any:
        label = choose(decoded, example, is_target)
        return {"group": _text(_field(example, field)), "label": label} if is_target else label

    return grouped_label


def number(decoded: str, example: Mapping[str, Any] | None = None, is_target: bool = False) -> float:
    """Returns the text as a number; a prediction that is no finite number becomes NaN.

    `metrics.pearson` and `metrics.spearman` count NaN as wrong.

    Raises:
        T5MixError: a target is no number.
    """
    try:
        value = float(_text(decoded))
    except ValueError:
        value = math.nan
    if math.isfinite(value):
        return value
    if is_target:
        raise T5MixError(f"The target {decoded!r} is no number.")
    return math.nan


def answers(field: str = "answers") -> Postprocessor:
    """Returns a post-processor for questions with several right answers.

    Args:
        field: the example's field with the answers: a list or array of texts, or one text, in which "|||"
            parts them.

    Returns:
        A function that gives the list of answers for targets and the stripped text for predictions.
    """

    def answers(decoded: str, example: Mapping[str, Any] | None = None, is_target: bool = False) -> Any:
        if not is_target:
            return _text(decoded).strip()
        value = _field(example, field)
        value = value.tolist() if hasattr(value, "tolist") else value  # numpy's arrays and scalars
        if isinstance(value, str | bytes):
            value = _text(value).split(ANSWER_SEPARATOR)
        return [_text(answer).strip() for answer in value]

    return answers


def _text(value: Any) -> str:
    value = value.item() if hasattr(value, "item") else value
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _field(example: Mapping[str, Any] | None, field: str) -> Any:
    if example is None or field not in example:
        held = "no example" if example is None else f"only {', '.join(sorted(example))}"
        raise T5MixError(f"The post-processor needs the example's field {field!r}; there is {held}.")
    return example[field]
