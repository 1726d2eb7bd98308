"""Task metrics: `(targets, predictions) -> {name: value}`, on 0 to 100, the headline first.

A prediction that is no label counts as wrong, inside F1 and Matthews' correlation too. A case that a formula
leaves undefined (constant predictions, no examples) gives 0.0, without a warning. The order of the examples
does not matter, and nothing is drawn at random.

Each is defined by what every example adds to it (`example_scores`), so that a bootstrap over examples takes sums
instead of evaluating it again.
"""

import re
import string
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from t5mix.errors import T5MixError, UnknownNameError
from t5mix.evaluation.example_scores import ExampleMetric, ExampleScores, Metric

Scores = dict[str, ExampleScores]

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_DELETE_PUNCTUATION = str.maketrans("", "", string.punctuation)
# TriviaQA's own evaluation counts typographic quotes and accents among the punctuation.
_SPACE_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation + "\u2018\u2019\u00b4", " "))


# Classification ---------------------------------------------------------------------------------------


@ExampleMetric
def accuracy(targets: Sequence[Any], predictions: Sequence[Any]) -> Scores:
    """Returns the percentage of predictions that equal their target."""
    hits = [bool(target == guess) for target, guess in _pairs(targets, predictions)]
    return {"accuracy": ExampleScores.of_means(hits)}


@ExampleMetric
def exact_match(targets: Sequence[Any], predictions: Sequence[Any]) -> Scores:
    """Returns the percentage of predictions that equal their target, or one of them where it is a list."""
    hits = [_matches(target, guess) for target, guess in _pairs(targets, predictions)]
    return {"exact_match": ExampleScores.of_means(hits)}


@ExampleMetric
def matthews(targets: Sequence[Any], predictions: Sequence[Any]) -> Scores:
    """Returns Matthews' correlation of labels (CoLA), for several classes in Gorodkin's form.

    Where the targets hold two labels, a prediction that is neither counts as the opposite of its target;
    where they hold more, such predictions form one more class, which is never right.
    """
    labels = list(dict.fromkeys(targets))
    pairs = _pairs(targets, predictions)
    if len(labels) == 2:
        opposite = dict(zip(labels, reversed(labels), strict=True))
        pairs = [(target, guess if guess in opposite else opposite[target]) for target, guess in pairs]
    return {"matthews": ExampleScores("matthews", _label_rows(labels, pairs))}


def f1(positive: Any) -> Metric:
    """Returns the metric F1 of the label `positive`, in a task of two labels.

    A prediction that is no label counts as the opposite of its target: a miss where the target is
    `positive`, a false alarm elsewhere. The labels are `positive` and those among the targets.
    """

    @ExampleMetric
    def f1(targets: Sequence[Any], predictions: Sequence[Any]) -> Scores:
        labels = {positive, *targets}

        def row(target: Any, guess: Any) -> tuple[bool, bool, bool]:
            if target == positive:
                return guess == positive, guess != positive, False
            return False, False, guess == positive or guess not in labels

        return {"f1": ExampleScores.of("f1", [row(*pair) for pair in _pairs(targets, predictions)])}

    f1.__doc__ = f"Returns the F1 score of the label {positive!r}."
    return f1


@ExampleMetric
def macro_f1(targets: Sequence[Any], predictions: Sequence[Any]) -> Scores:
    """Returns the mean of the F1 scores of all labels that occur among the targets (CB).

    A prediction that is no label is a miss of its target's label.
    """
    rows = _label_rows(list(dict.fromkeys(targets)), _pairs(targets, predictions))
    return {"macro_f1": ExampleScores("macro_f1", rows)}


@ExampleMetric
def group_exact_match(targets: Sequence[Any], predictions: Sequence[Any]) -> Scores:
    """Returns the percentage of groups whose predictions are all right (MultiRC's EM over questions).

    Targets are mappings {"group", "label"}, as `postprocess.grouped_label` makes them. The units of its example scores
    are the groups.
    """
    groups: dict[Any, bool] = defaultdict(lambda: True)
    for target, guess in _pairs(targets, predictions):
        groups[target["group"]] &= bool(target["label"] == guess)
    return {"group_exact_match": ExampleScores.of_means(list(groups.values()))}


def on_labels(metric: Metric) -> Metric:
    """Returns `metric` for targets {"group", "label"}: it sees the labels alone (MultiRC's F1a)."""
    own = isinstance(metric, ExampleMetric)
    function: Callable[..., Any] = metric.example_scores if own else metric

    def of_labels(targets: Sequence[Any], predictions: Sequence[Any]) -> Any:
        return function([target["label"] for target in targets], predictions)

    of_labels.__name__ = of_labels.__qualname__ = metric.__name__
    of_labels.__doc__ = metric.__doc__
    return ExampleMetric(of_labels) if own else of_labels


# Regression -------------------------------------------------------------------------------------------


@ExampleMetric
def pearson(targets: Sequence[float], predictions: Sequence[float | None]) -> Scores:
    """Returns Pearson's correlation.

    A prediction that is no finite number (None, NaN) counts as the end of the targets' range that is farther
    from its target: as wrong as an answer in range can be.
    """
    return {"pearson": _correlation(*_numbers(targets, predictions))}


@ExampleMetric
def spearman(targets: Sequence[float], predictions: Sequence[float | None]) -> Scores:
    """Returns Spearman's rank correlation; ties share their mean rank, no number counts as in `pearson`.

    Its example scores hold the ranks among all examples: a bootstrap does not rank its draws anew.
    """
    from scipy.stats import rankdata

    wanted, given = _numbers(targets, predictions)
    return {"spearman": _correlation(rankdata(wanted), rankdata(given))}


# Question answering -----------------------------------------------------------------------------------


@ExampleMetric
def squad(targets: Sequence[Any], predictions: Sequence[str]) -> Scores:
    """Returns SQuAD v1.1's exact match and token F1, the best over the answers of each question.

    Texts are compared in lower case, without punctuation and the articles a, an, the. No answer at all is
    matched by the empty prediction. Two texts of which nothing is left agree, as in SQuAD v2's script.
    """
    return _question_answering(targets, predictions, _DELETE_PUNCTUATION)


@ExampleMetric
def trivia_qa(targets: Sequence[Any], predictions: Sequence[str]) -> Scores:
    """Returns exact match and F1 as `squad` does, punctuation becoming a space (TriviaQA, closed-book)."""
    return _question_answering(targets, predictions, _SPACE_PUNCTUATION)


def normalize_answer(text: str, punctuation: Mapping[int, Any] = _DELETE_PUNCTUATION) -> str:
    """Returns `text` in lower case, punctuation translated, articles dropped, white space collapsed."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(punctuation)).split())


# Generated text ---------------------------------------------------------------------------------------


@ExampleMetric
def bleu(targets: Sequence[Any], predictions: Sequence[str]) -> Scores:
    """Returns the corpus's sacreBLEU: exponential smoothing, international tokenisation, case kept.

    A target is a reference or a list of them.
    """
    import sacrebleu

    # Only its counts are used, which are the corpus's; the effective order keeps it from warning of single sentences.
    counter = sacrebleu.BLEU(tokenize="intl", effective_order=True)
    rows = []
    for target, guess in _pairs(targets, predictions):
        counted = counter.sentence_score(guess, _as_answers(target))
        rows.append([counted.sys_len, counted.ref_len, *counted.counts, *counted.totals])
    return {"bleu": ExampleScores.of("bleu", rows)}


@ExampleMetric
def rouge(targets: Sequence[str], predictions: Sequence[str]) -> Scores:
    """Returns the mean ROUGE F scores, with ROUGE-2, T5's measure of CNN/DM, as the headline.

    No stemming, no bootstrap. For rougeLsum a sentence that ends in " . " ends its line.
    """
    from rouge_score.rouge_scorer import RougeScorer

    kinds = ["rouge2", "rouge1", "rougeL", "rougeLsum"]
    scorer = RougeScorer(kinds)
    scores = [
        scorer.score(target.replace(" . ", " .\n"), guess.replace(" . ", " .\n"))
        for target, guess in _pairs(targets, predictions)
    ]
    return {kind: ExampleScores.of_means([score[kind].fmeasure for score in scores]) for kind in kinds}


# Names ------------------------------------------------------------------------------------------------

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


# Parts ------------------------------------------------------------------------------------------------


def _pairs(targets: Sequence[Any], predictions: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Returns the pairs; raises ValueError where the numbers of targets and predictions differ."""
    return list(zip(targets, predictions, strict=True))


def _matches(target: Any, guess: Any) -> bool:
    return guess in target if isinstance(target, list | tuple) else bool(target == guess)


def _f_score(hits: int, misses: int, alarms: int) -> float:
    return 2 * hits / (2 * hits + misses + alarms) if hits else 0.0


def _numbers(targets: Sequence[float], predictions: Sequence[float | None]) -> tuple[np.ndarray, np.ndarray]:
    """Returns both as float arrays, what is no number replaced as `pearson` says."""
    _pairs(targets, predictions)
    wanted = np.asarray(targets, np.float64)
    given = np.array([np.nan if guess is None else guess for guess in predictions], np.float64)
    if len(wanted):
        low, high = wanted.min(), wanted.max()
        farthest = np.where(wanted - low > high - wanted, low, high)
        given = np.where(np.isfinite(given), given, farthest)
    return wanted, given


def _label_rows(labels: Sequence[Any], pairs: Sequence[tuple[Any, Any]]) -> np.ndarray:
    """Returns hits, targets and predictions of each class, [examples, 3 * classes]; the last class is no label."""
    index = {label: i for i, label in enumerate(labels)}
    places = np.array([[index.get(label, len(labels)) for label in pair] for pair in pairs], int).reshape(-1, 2)
    wanted, given = np.eye(len(labels) + 1)[places.T]
    return np.hstack([wanted * given, wanted, given])


def _correlation(first: np.ndarray, second: np.ndarray) -> ExampleScores:
    x, y = _centred(first), _centred(second)
    return ExampleScores("pearson", np.column_stack([np.ones(len(x)), x, y, x * x, y * y, x * y]))


def _centred(values: np.ndarray) -> np.ndarray:
    """Returns the values up to an affine map that makes their squares fit to be summed.

    Scaling keeps the squares of absurdly large predictions finite. Around the median, which is at most one standard
    deviation from the mean, the mean square is at most twice the variance: little is lost where one becomes the other.
    """
    if len(values) == 0:
        return values
    scaled = values / (np.abs(values).max() or 1.0)
    return scaled - np.sort(scaled)[len(scaled) // 2]


def _as_answers(target: Any) -> list[str]:
    if isinstance(target, str):
        return [target]
    return list(target) or [""]


def _question_answering(targets: Sequence[Any], predictions: Sequence[str], punctuation: Mapping[int, Any]) -> Scores:
    matches, overlaps = [], []
    for target, guess in _pairs(targets, predictions):
        given = normalize_answer(guess, punctuation)
        answers = [normalize_answer(answer, punctuation) for answer in _as_answers(target)]
        matches.append(given in answers)
        overlaps.append(max(_token_f1(answer, given) for answer in answers))
    return {"em": ExampleScores.of_means(matches), "f1": ExampleScores.of_means(overlaps)}


def _token_f1(answer: str, guess: str) -> float:
    wanted, given = answer.split(), guess.split()
    if not wanted or not given:
        return float(wanted == given)
    common = sum((Counter(wanted) & Counter(given)).values())
    return _f_score(common, len(wanted) - common, len(given) - common)
