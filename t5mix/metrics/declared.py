"""How a task that is declared in configuration is scored."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from t5mix.errors import T5MixError, nearest
from t5mix.metrics import postprocessors
from t5mix.metrics.catalogue import metric, named_apart
from t5mix.metrics.choice import ChoiceMetric
from t5mix.metrics.classification import F1
from t5mix.metrics.correlation import as_number
from t5mix.metrics.example_scores import CHOICES, ExampleMetric
from t5mix.metrics.postprocessors import Postprocessor, Trip, unchanged
from t5mix.metrics.scoring import Scoring
from t5mix.sources.declaration import TaskDeclaration

_REGRESSION = ("pearson", "spearman")
_TEXT = ("accuracy", "exact_match", "token_f1", "squad", "trivia_qa")
_CLASSES = ("f1", "macro_f1", "matthews")
_NGRAMS = ("bleu", "chrf", "rouge")

FITTING: dict[str, tuple[str, ...]] = {
    "labels": (*_TEXT, *_CLASSES, *CHOICES),
    "labels that are numbers": (*_TEXT, *_CLASSES, *_REGRESSION, *CHOICES),
    "text": (*_TEXT, *_NGRAMS, *_CLASSES, *_REGRESSION),
    "answers": (*_TEXT, *_NGRAMS),
    "the texts of the objective lm": ("perplexity", "bits_per_byte"),
    "the targets of the objective span_corruption": ("perplexity",),
}
"""The kinds of metrics that can score a declared task, by the kind of its targets. Whether the texts of a task are
numbers is seen when they are read."""


def _characters(text: str) -> int:
    return len(text) + 1


def scoring_of(
    declaration: TaskDeclaration, trip: Trip = unchanged, count_tokens: Callable[[str], int] = _characters
) -> Scoring:
    """Returns how a declared task is scored.

    Args:
        declaration: of the task.
        trip: takes a text once through the vocabulary and back. Targets are compared as they are after it, since that
            is how a model writes them.
        count_tokens: gives the tokens of a text, the end of the sequence included; by default its characters and one.

    Raises:
        T5MixError: a metric does not exist, has no such option, or cannot score this kind of target; or the vocabulary
            writes two labels alike, or for metrics of choices white space alone tells two apart.
    """
    metrics = tuple(map(metric, declaration.metrics))
    for each in metrics:
        _check_fits(each, declaration)
    metrics = tuple(_bound(each, declaration, trip, count_tokens) for each in metrics)
    return Scoring(_postprocessor(declaration, metrics, trip), named_apart(metrics), trip)


def _target_kind(declaration: TaskDeclaration) -> str:
    """Returns a key of `FITTING`."""
    if declaration.objective is not None:
        return f"the {'texts' if declaration.objective == 'lm' else 'targets'} of the objective {declaration.objective}"
    if declaration.answers is not None:
        return "answers"
    if not declaration.choices():
        return "text"
    return "labels" if _no_number(declaration.choices()) else "labels that are numbers"


def _no_number(labels: Sequence[str]) -> list[str]:
    return [label for label in labels if not math.isfinite(as_number(label))]


def _check_fits(metric: ExampleMetric, declaration: TaskDeclaration) -> None:
    targets, labels = _target_kind(declaration), [label.strip() for label in declaration.choices()]
    if metric.kind not in FITTING[targets]:
        reason = ""
        if metric.kind in _REGRESSION and labels:
            reason = f": {_no_number(labels)[0]!r} is not a number"
        elif metric.kind == "group_exact_match":
            reason = ": it needs groups of labels, which only tasks in Python have"
        elif isinstance(metric, ChoiceMetric):
            reason = ": it chooses among labels, and the task has none; declare `labels: {VALUE: TEXT}`"
        elif metric.kind == "bits_per_byte" and declaration.objective is not None:
            reason = ": they are pieces of the text"
        fitting = ", ".join("f1:LABEL" if kind == "f1" else kind for kind in FITTING[targets])
        raise T5MixError(f"The metric {metric.kind!r} cannot score {targets}{reason}. What can: {fitting}.")
    if isinstance(metric, F1) and labels and metric.label not in labels:
        near = nearest(metric.label, labels) or labels[:3]
        raise T5MixError(
            f"The metric 'f1:{metric.label}' is about a label that the task does not have. Did you mean "
            f"{' or '.join(repr(f'f1:{label}') for label in near)}?"
        )


def _bound(
    metric: ExampleMetric, declaration: TaskDeclaration, trip: Trip, count_tokens: Callable[[str], int]
) -> ExampleMetric:
    """Returns a metric that knows the labels of the task and of the vocabulary."""
    if isinstance(metric, F1) and not declaration.choices():
        # Labels come back from their post-processor as they are declared, text does not.
        return F1(label=trip(metric.label).strip())
    if not isinstance(metric, ChoiceMetric):
        return metric
    labels: dict[str, str] = {}
    for choice in declaration.choices():
        if labels.setdefault(choice.strip(), choice) != choice:
            raise T5MixError(
                f"The metric {metric.kind!r} cannot tell the labels {labels[choice.strip()]!r} and {choice!r} apart: "
                "only white space around them differs. Give both the same text, or different ones."
            )
    return metric.among(tuple(labels), [count_tokens(choice) for choice in labels.values()])


def _postprocessor(declaration: TaskDeclaration, metrics: Sequence[ExampleMetric], trip: Trip) -> Postprocessor:
    if declaration.objective is not None:
        return postprocessors.text_size
    if declaration.choices():
        return postprocessors.label_choice(declaration.choices(), trip)
    if declaration.answers is not None:
        return postprocessors.answers("answers", trip)
    single = next((metric.kind for metric in metrics if metric.kind not in FITTING["answers"]), None)
    if single is None:
        return postprocessors.text(trip, references="answers")
    numbers = {metric.kind for metric in metrics} <= set(_REGRESSION)
    return _of_one_target(postprocessors.number if numbers else postprocessors.text(trip), single)


def _of_one_target(postprocess: Postprocessor, metric: str) -> Postprocessor:
    """Returns a post-processor that refuses several targets of an example, which a metric cannot score."""

    def of_one_target(decoded: str, example: Mapping[str, Any] | None = None, is_target: bool = False) -> Any:
        if is_target and example is not None and len(example.get("answers", ())) > 1:
            fitting = ", ".join(FITTING["answers"])
            raise T5MixError(f"It has several targets, and the metric {metric!r} compares one. What fits: {fitting}.")
        return postprocess(decoded, example, is_target)

    return of_one_target
