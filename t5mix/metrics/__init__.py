"""Metrics of tasks: `(targets, predictions) -> {name: value}`, on 0 to 100, the headline first.

A prediction that is no label counts as wrong, inside F1 and Matthews' correlation too. A case that a formula
leaves undefined (constant predictions, no examples) gives 0.0, without a warning. The order of the examples
does not matter, and nothing is drawn at random.

Each is defined by what every example adds to it (`example_scores`), so that a bootstrap over examples takes sums
instead of evaluating it again. Those with options are classes: `bleu` is `Bleu()`.

Metrics of likelihoods are `(targets, scores) -> {name: value}`. Perplexity and bits per byte are lower for better
models, and have their own units; the accuracy of the most probable label is like any other.
"""

from t5mix.metrics.catalogue import METRICS, metric
from t5mix.metrics.choice import choice_accuracy, choice_accuracy_by_token, most_probable
from t5mix.metrics.classification import (
    F1,
    accuracy,
    exact_match,
    f1,
    group_exact_match,
    macro_f1,
    matthews,
    on_labels,
)
from t5mix.metrics.correlation import pearson, spearman
from t5mix.metrics.likelihood import bits_per_byte, perplexity
from t5mix.metrics.question_answering import TokenF1, normalize_answer, squad, token_f1, trivia_qa
from t5mix.metrics.summarization import Rouge, rouge
from t5mix.metrics.translation import Bleu, ChrF, bleu, chrf

__all__ = [
    "F1",
    "METRICS",
    "Bleu",
    "ChrF",
    "Rouge",
    "TokenF1",
    "accuracy",
    "bits_per_byte",
    "bleu",
    "choice_accuracy",
    "choice_accuracy_by_token",
    "chrf",
    "exact_match",
    "f1",
    "group_exact_match",
    "macro_f1",
    "matthews",
    "metric",
    "most_probable",
    "normalize_answer",
    "on_labels",
    "pearson",
    "perplexity",
    "rouge",
    "spearman",
    "squad",
    "token_f1",
    "trivia_qa",
]
