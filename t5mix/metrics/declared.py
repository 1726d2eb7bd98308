"""How a task that is declared in configuration is scored."""

from dataclasses import dataclass

from t5mix.metrics import postprocessors
from t5mix.metrics.catalogue import metric
from t5mix.metrics.example_scores import Metric
from t5mix.metrics.postprocessors import Postprocessor
from t5mix.sources.declaration import TaskDeclaration


@dataclass(frozen=True)
class Scoring:
    """What a task's predictions are scored with.

    Attributes:
        postprocess: from text to what the metrics compare.
        metrics: the metrics; the first holds the headline.
    """

    postprocess: Postprocessor
    metrics: tuple[Metric, ...]


def scoring_of(declaration: TaskDeclaration) -> Scoring:
    """Returns how a declared task is scored.

    Raises:
        T5MixError: a metric does not exist.
    """
    return Scoring(_postprocessor(declaration), tuple(map(metric, declaration.metrics)))


def _postprocessor(declaration: TaskDeclaration) -> Postprocessor:
    if declaration.labels is not None:
        return postprocessors.label_choice(declaration.choices())
    if declaration.answers is not None:
        return postprocessors.answers("answers")
    if declaration.metrics and set(declaration.metrics) <= {"pearson", "spearman"}:
        return postprocessors.number
    return postprocessors.string
