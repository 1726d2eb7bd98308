"""The metrics by name, as task declarations call them."""

from t5mix.errors import T5MixError, UnknownNameError
from t5mix.metrics.bleu_and_rouge import bleu, rouge
from t5mix.metrics.classification import accuracy, exact_match, f1, group_exact_match, macro_f1, matthews
from t5mix.metrics.correlation import pearson, spearman
from t5mix.metrics.example_scores import Metric
from t5mix.metrics.question_answering import squad, trivia_qa

METRICS: dict[str, Metric] = {
    function.__name__: function
    for function in (
        accuracy,
        exact_match,
        matthews,
        macro_f1,
        group_exact_match,
        pearson,
        spearman,
        squad,
        trivia_qa,
        bleu,
        rouge,
    )
}


def metric(name: str) -> Metric:
    """Returns the metric called `name`; "f1:LABEL" is the F1 of that label.

    Raises:
        UnknownNameError: there is no such metric.
        T5MixError: "f1" without a label.
    """
    if name in METRICS:
        return METRICS[name]
    kind, _, label = name.partition(":")
    if kind == "f1" and label:
        return f1(label)
    if kind == "f1":
        raise T5MixError("The metric 'f1' needs the label it is about: 'f1:equivalent'; or take 'macro_f1'.")
    raise UnknownNameError("metric", name, [*METRICS, "f1:LABEL"])
