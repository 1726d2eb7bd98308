"""Labels: from the value of a field to the text that stands for it in the target."""

from collections.abc import Mapping, Sequence

from t5mix.sources.problems import RowError
from t5mix.sources.tables import as_text, shorten

LabelValue = str | int | float | bool

_BOOLEANS = {"true": ("true", "yes", "on"), "false": ("false", "no", "off")}
"""The words that YAML reads as booleans, if they are not in quotes, by the text of each."""

_EXACT = 1 << 53
"""Below it, whole numbers that differ do so as floating-point numbers too."""


class LabelTexts(dict[str, str]):
    """The label of each value of a field, by the value's text.

    A value that is not listed as it stands is looked for as a number, since a column of 0 and 1 with gaps comes as 0.0
    and 1.0, and as a boolean: `{no: negative}` without quotes is `{false: negative}` to YAML.

    Args:
        field: the field's name, for errors.
        labels: text of each label, by value.
        class_names: the names of the values 0, 1, ..., if the data set has them. Labels may then go by name too, and
            without labels the names are the texts.
    """

    def __init__(self, field: str, labels: Mapping[LabelValue, str] | None, class_names: Sequence[str] = ()) -> None:
        super().__init__({as_text(value): text for value, text in (labels or {}).items()})
        self._field = field
        self._listed = [*self] or [str(number) for number in range(len(class_names))]
        for number, name in enumerate(class_names):
            text = self.get(name) if labels else name
            if text is not None:
                self.setdefault(str(number), text)
        self._numbers = {number: text for value, text in self.items() if (number := _number(value)) is not None}

    def __missing__(self, value: str) -> str:
        number = _number(value)
        if number in self._numbers:
            return self._numbers[number]
        for boolean, words in _BOOLEANS.items():
            if boolean in self and value in {*words, *map(str.title, words), *map(str.upper, words)}:
                return self[boolean]
        raise RowError(
            f"{self._field} is {shorten(value)!r}, which labels does not list. It lists "
            f"{shorten(', '.join(self._listed), 400)}; add the value there or mend the file."
        )


def _number(text: str) -> float | None:
    """Returns the number that a text is as a whole; None if it is none, or written in an unusual way."""
    if not text.isascii() or "_" in text or text.strip() != text:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < _EXACT else None


def checked_labels(labels: Mapping[LabelValue, str]) -> None:
    """Checks that no value is listed twice.

    Raises:
        ValueError: there are none, or a value stands for two labels.
    """
    if not labels:
        raise ValueError("labels is empty")
    values: dict[str, LabelValue] = {}
    for value in labels:
        text = as_text(value)
        if text in values:
            raise ValueError(f"labels lists {text} twice, as {values[text]!r} and as {value!r}; leave one out")
        values[text] = value
