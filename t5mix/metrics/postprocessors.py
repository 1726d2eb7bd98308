"""Post-processors of seqio tasks: from decoded text to what a metric compares.

Each is a function `(decoded, example=None, is_target=False)`. seqio calls it once for the target, with the
example and `is_target=True`, and once for the prediction.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from t5mix.errors import T5MixError
from t5mix.metrics.likelihood import TextSize

INVALID = "<no label>"
ANSWER_SEPARATOR = "|||"

Postprocessor = Callable[..., Any]
Trip = Callable[[str], str]
"""Takes a text once through a vocabulary and back: what a model that means the text writes."""


def unchanged(text: str) -> str:
    """Returns the text: the trip through a vocabulary that can write everything."""
    return text


def string(decoded: str, example: Mapping[str, Any] | None = None, is_target: bool = False) -> str:
    """Returns the text without white space around it."""
    return _text(decoded).strip()


def text(trip: Trip = unchanged, *, references: str | None = None) -> Postprocessor:
    """Returns a post-processor like `string` whose targets are as the vocabulary writes them.

    Args:
        trip: takes a text through the vocabulary and back.
        references: a field that holds all targets of an example that has several; the target then is the list.
    """
    all_of = answers(references or "", trip)

    def text(decoded: str, example: Mapping[str, Any] | None = None, is_target: bool = False) -> Any:
        if is_target and references is not None and example is not None and references in example:
            return all_of(decoded, example, is_target)
        return (trip(_text(decoded)) if is_target else _text(decoded)).strip()

    return text


def label_choice(choices: Sequence[str], trip: Trip = unchanged) -> Postprocessor:
    """Returns a post-processor that keeps the labels `choices` and makes anything else `INVALID`.

    Args:
        choices: every label the task can have, as its preprocessor writes them.
        trip: takes a text through the vocabulary and back. A prediction is a label if it is what the vocabulary writes
            for it.

    Raises:
        T5MixError: the vocabulary writes two labels alike.
    """
    labels = {choice.strip(): choice.strip() for choice in choices}
    written: dict[str, str] = {}
    for choice in labels:
        form = trip(choice).strip()
        if written.setdefault(form, choice) != choice:
            raise T5MixError(
                f"The vocabulary writes the labels {written[form]!r} and {choice!r} alike, as {form!r}: a model cannot "
                "tell them apart. Reword one of them, or take a vocabulary that has their characters, such as bytes."
            )
    labels_of = {**labels, **written}

    def label_choice(decoded: str, example: Mapping[str, Any] | None = None, is_target: bool = False) -> str:
        text = _text(decoded).strip()
        # A target is the label itself where its text was kept; else it has been through the vocabulary too.
        label = labels.get(text, labels_of.get(text)) if is_target else labels_of.get(text)
        if label is not None:
            return label
        if is_target:
            raise T5MixError(f"The target {text!r} is none of the task's labels: {', '.join(choices)}.")
        return INVALID

    return label_choice


def grouped_label(choices: Sequence[str], field: str, trip: Trip = unchanged) -> Postprocessor:
    """Returns a post-processor like `label_choice` whose targets carry their group (MultiRC).

    Args:
        choices: every label.
        field: the example's field that names its group, such as the question's id.
        trip: see `label_choice`.

    Returns:
        A function that gives {"group", "label"} for targets and the label alone for predictions, as
        `metrics.group_exact_match` and `metrics.on_labels` take them.
    """
    choose = label_choice(choices, trip)

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


def answers(field: str = "answers", trip: Trip = unchanged) -> Postprocessor:
    """Returns a post-processor for questions with several right answers.

    Args:
        field: the example's field with the answers: a list or array of texts, or one text, in which "|||"
            parts them.
        trip: takes a text through the vocabulary and back: the answers are given as the vocabulary writes them.

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
        return [trip(_text(answer)).strip() for answer in value]

    return answers


def text_size(decoded: str, example: Mapping[str, Any] | None = None, is_target: bool = False) -> Any:
    """Returns the size of a target, as metrics of likelihoods take it; a prediction as it is.

    The example's field "targets" holds the target's tokens, the end of the sequence included.
    """
    text = _text(decoded)
    return TextSize(len(_field(example, "targets")), len(text.encode("utf-8"))) if is_target else text


def _text(value: Any) -> str:
    value = value.item() if hasattr(value, "item") else value
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _field(example: Mapping[str, Any] | None, field: str) -> Any:
    if example is None or field not in example:
        held = "no example" if example is None else f"only {', '.join(sorted(example))}"
        raise T5MixError(f"The post-processor needs the example's field {field!r}; there is {held}.")
    return example[field]
