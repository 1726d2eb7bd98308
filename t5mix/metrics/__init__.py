"""Metrics of tasks: `(targets, predictions) -> {name: value}`, on 0 to 100, the headline first.

A prediction that is no label counts as wrong, inside F1 and Matthews' correlation too. A case that a formula
leaves undefined (constant predictions, no examples) gives 0.0, without a warning. The order of the examples
does not matter, and nothing is drawn at random.

Each is defined by what every example adds to it (`example_scores`), so that a bootstrap over examples takes sums
instead of evaluating it again.
"""

from t5mix.metrics.bleu_and_rouge import bleu, rouge
from t5mix.metrics.catalogue import METRICS, metric
from t5mix.metrics.classification import accuracy, exact_match, f1, group_exact_match, macro_f1, matthews, on_labels
from t5mix.metrics.correlation import pearson, spearman
from t5mix.metrics.question_answering import normalize_answer, squad, trivia_qa

__all__ = [
    "METRICS",
    "accuracy",
    "bleu",
    "exact_match",
    "f1",
    "group_exact_match",
    "macro_f1",
    "matthews",
    "metric",
    "normalize_answer",
    "on_labels",
    "pearson",
    "rouge",
    "spearman",
    "squad",
    "trivia_qa",
]
