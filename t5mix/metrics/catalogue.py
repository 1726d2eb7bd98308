"""The metrics by name and with their options, as task declarations ask for them."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from t5mix.errors import T5MixError, UnknownNameError
from t5mix.metrics.choice import choice_accuracy, choice_accuracy_by_token
from t5mix.metrics.classification import F1, accuracy, exact_match, group_exact_match, macro_f1, matthews
from t5mix.metrics.correlation import pearson, spearman
from t5mix.metrics.example_scores import ExampleMetric, ExampleScores
from t5mix.metrics.likelihood import bits_per_byte, perplexity
from t5mix.metrics.question_answering import TokenF1, squad, token_f1, trivia_qa
from t5mix.metrics.summarization import Rouge, rouge
from t5mix.metrics.translation import Bleu, ChrF, bleu, chrf

METRICS: dict[str, ExampleMetric] = {
    metric.kind: metric
    for metric in (
        accuracy,
        exact_match,
        matthews,
        macro_f1,
        group_exact_match,
        pearson,
        spearman,
        squad,
        trivia_qa,
        token_f1,
        bleu,
        chrf,
        rouge,
        perplexity,
        bits_per_byte,
        choice_accuracy,
        choice_accuracy_by_token,
    )
}
"""Those that need no option, as they are without."""

_WITH_OPTIONS: dict[str, type[ExampleMetric]] = {cls.kind: cls for cls in (Bleu, ChrF, F1, Rouge, TokenF1)}


def metric(entry: Any) -> ExampleMetric:
    """Returns the metric that an entry of a configuration's list asks for.

    Args:
        entry: a name, "f1:LABEL" for the F1 of a label, or {name: {option: value, ...}}.

    Raises:
        UnknownNameError: there is no such metric.
        T5MixError: the metric has no such option, a value is not allowed, or the entry is something else.
    """
    if isinstance(entry, str):
        return _by_name(entry)
    if not isinstance(entry, Mapping) or len(entry) != 1:
        raise T5MixError(
            f"The metric {entry!r} is neither a name nor one name with options; write accuracy, f1:LABEL or "
            "{bleu: {tokenize: zh}}, each an entry of the list."
        )
    ((name, options),) = entry.items()
    if name == "f1" and not isinstance(options, Mapping):
        raise T5MixError(f"The metric {entry!r} is f1 with a space or a line break; write 'f1:LABEL', in quotes.")
    if not options and name != "f1":
        return _by_name(str(name))
    if name not in _WITH_OPTIONS:
        _by_name(str(name))
        raise T5MixError(f"The metric {name!r} has no options; {', '.join(sorted(_WITH_OPTIONS))} have.")
    if not isinstance(options, Mapping):
        names = [field.name for field in dataclasses.fields(_WITH_OPTIONS[name])]  # type: ignore[arg-type]
        raise T5MixError(
            f"The options of the metric {name!r} are {options!r}; write {{{name}: {{OPTION: VALUE}}}}. Its options: "
            f"{', '.join(names)}."
        )
    from t5mix.validation import validate  # loads pydantic

    return validate(_WITH_OPTIONS[name], options, f"metrics.{name}")


def named_apart(metrics: Sequence[ExampleMetric]) -> tuple[ExampleMetric, ...]:
    """Returns the metrics of one task, their values named so that none goes by the name of another.

    Of several metrics of one kind, those with options have them in their names: `bleu` and `bleu:tokenize=zh`,
    `f1:yes` and `f1:no`. Where there is one of a kind it goes by its plain name.

    Raises:
        T5MixError: a metric occurs twice, or two of different kinds give values of the same name.
    """
    kinds = Counter(metric.kind for metric in metrics)
    named = tuple(_Named(each) if kinds[each.kind] > 1 and each.options_text else each for each in metrics)
    owners: dict[str, str] = {}
    for name in (each.__name__ for each in named):
        for value in values_by_name(name) or ():
            if owners.get(value) == name:
                raise T5MixError(f"The metric {name!r} is listed twice.")
            if value in owners:
                raise T5MixError(
                    f"The metrics {owners[value]!r} and {name!r} both give a value called {value!r}; leave one out."
                )
            owners[value] = name
    return named


def values_by_name(name: str) -> list[str] | None:
    """Returns the names of the values that the metric of a name gives, headline first; None if it is not ours.

    Args:
        name: the metric's `__name__`.
    """
    kind, _, options = name.partition(":")
    if kind != "f1" and kind not in METRICS:
        return None
    values = ["f1"] if kind == "f1" else METRICS[kind]([], [])
    return [_with_options(value, options) for value in values]


class _Named(ExampleMetric):
    """A metric with its options in the names of its values."""

    def __init__(self, of: ExampleMetric) -> None:
        self._of = of
        self.best, self.takes = of.best, of.takes
        self.kind = _with_options(of.kind, of.options_text)
        self.__doc__ = of.__doc__

    def example_scores(self, targets: Sequence[Any], predictions: Sequence[Any]) -> dict[str, ExampleScores]:
        return self._rename(self._of.example_scores(targets, predictions))

    def signatures(self, targets: Sequence[Any]) -> dict[str, str]:
        return self._rename(self._of.signatures(targets))

    def perfect(self, targets: Sequence[Any], predictions: Sequence[Any]) -> Sequence[Any]:
        return self._of.perfect(targets, predictions)

    def limit(self, value: str, targets: Sequence[Any]) -> str:
        return self._of.limit(value.partition(":")[0], targets)

    def doubt(self, targets: Sequence[Any]) -> str:
        return self._of.doubt(targets)

    def _rename(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {_with_options(name, self._of.options_text): value for name, value in values.items()}


def _by_name(name: str) -> ExampleMetric:
    if name in METRICS:
        return METRICS[name]
    kind, _, argument = name.partition(":")
    if kind == "f1" and argument.strip():
        return F1(label=argument.strip())
    if kind == "f1":
        raise T5MixError("The metric 'f1' needs the label it is about: 'f1:equivalent'; or take 'macro_f1'.")
    if kind in _WITH_OPTIONS:
        raise T5MixError(f"Options of the metric {kind!r} are written {{{kind}: {{OPTION: VALUE}}}}, not {name!r}.")
    raise UnknownNameError("metric", name, [*METRICS, "f1:LABEL"])


def _with_options(name: str, options: str) -> str:
    return f"{name}:{options}" if options else name
