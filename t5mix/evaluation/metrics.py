"""Task metrics: `(targets, predictions) -> {name: value}`, on 0 to 100, the headline first.

A prediction that is no label counts as wrong, inside F1 and Matthews' correlation too. A case that a formula
leaves undefined (constant predictions, no examples) gives 0.0, without a warning. The order of the examples
does not matter, and nothing is drawn at random.
"""

import re
import string
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from t5mix.errors import T5MixError, UnknownNameError

Metric = Callable[[Sequence[Any], Sequence[Any]], dict[str, float]]

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_DELETE_PUNCTUATION = str.maketrans("", "", string.punctuation)
# TriviaQA's own evaluation counts typographic quotes and accents among the punctuation.
_SPACE_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation + "\u2018\u2019\u00b4", " "))


# Classification ---------------------------------------------------------------------------------------


def accuracy(targets: Sequence[Any], predictions: Sequence[Any]) -> dict[str, float]:
    """Returns the percentage of predictions that equal their target."""
    return {"accuracy": _percent_equal(targets, predictions)}


def exact_match(targets: Sequence[Any], predictions: Sequence[Any]) -> dict[str, float]:
    """Returns the percentage of predictions that equal their target, or one of them where it is a list."""
    hits = [_matches(target, guess) for target, guess in _pairs(targets, predictions)]
    return {"exact_match": _percent(hits)}


def matthews(targets: Sequence[Any], predictions: Sequence[Any]) -> dict[str, float]:
    """Returns Matthews' correlation of labels (CoLA), for several classes in Gorodkin's form.

    Where the targets hold two labels, a prediction that is neither counts as the opposite of its target;
    where they hold more, such predictions form one more class, which is never right.
    """
    labels = sorted(set(targets), key=str)
    index = {label: i for i, label in enumerate(labels)}
    confusion = np.zeros((len(labels) + 1, len(labels) + 1))
    for target, guess in _pairs(targets, predictions):
        row = index[target]
        wrong = 1 - row if len(labels) == 2 else len(labels)
        confusion[row, index.get(guess, wrong)] += 1
    total = confusion.sum()
    of_targets, of_predictions = confusion.sum(axis=1), confusion.sum(axis=0)
    spread = (total**2 - of_targets @ of_targets) * (total**2 - of_predictions @ of_predictions)
    if spread <= 0:
        return {"matthews": 0.0}
    covariance = np.trace(confusion) * total - of_targets @ of_predictions
    return {"matthews": 100 * float(covariance / np.sqrt(spread))}


def f1(positive: Any) -> Metric:
    """Returns the metric F1 of the label `positive`, in a task of two labels.

    A prediction that is no label counts as the opposite of its target: a miss where the target is
    `positive`, a false alarm elsewhere. The labels are `positive` and those among the targets.
    """

    def f1(targets: Sequence[Any], predictions: Sequence[Any]) -> dict[str, float]:
        labels = {positive, *targets}
        hits = misses = alarms = 0
        for target, guess in _pairs(targets, predictions):
            if target == positive:
                hits += guess == positive
                misses += guess != positive
            else:
                alarms += guess == positive or guess not in labels
        return {"f1": 100 * _f_score(hits, misses, alarms)}

    f1.__doc__ = f"Returns the F1 score of the label {positive!r}."
    return f1


def macro_f1(targets: Sequence[Any], predictions: Sequence[Any]) -> dict[str, float]:
    """Returns the mean of the F1 scores of all labels that occur among the targets (CB).

    A prediction that is no label is a miss of its target's label.
    """
    truth, guessed = Counter(targets), Counter(predictions)
    hits = Counter(target for target, guess in _pairs(targets, predictions) if target == guess)
    scores = [_f_score(hits[la], truth[la] - hits[la], guessed[la] - hits[la]) for la in truth]
    return {"macro_f1": _percent(scores)}


def group_exact_match(targets: Sequence[Any], predictions: Sequence[Any]) -> dict[str, float]:
    """Returns the percentage of groups whose predictions are all right (MultiRC's EM over questions).

    Targets are mappings {"group", "label"}, as `postprocess.grouped_label` makes them.
    """
    groups: dict[Any, bool] = defaultdict(lambda: True)
    for target, guess in _pairs(targets, predictions):
        groups[target["group"]] &= target["label"] == guess
    return {"group_exact_match": _percent(list(groups.values()))}


def on_labels(metric: Metric) -> Metric:
    """Returns `metric` for targets {"group", "label"}: it sees the labels alone (MultiRC's F1a)."""

    def of_labels(targets: Sequence[Any], predictions: Sequence[Any]) -> dict[str, float]:
        return metric([target["label"] for target in targets], predictions)

    of_labels.__name__ = of_labels.__qualname__ = metric.__name__
    of_labels.__doc__ = metric.__doc__
    return of_labels


# Regression -------------------------------------------------------------------------------------------


def pearson(targets: Sequence[float], predictions: Sequence[float | None]) -> dict[str, float]:
    """Returns Pearson's correlation.

    A prediction that is no finite number (None, NaN) counts as the end of the targets' range that is farther
    from its target: as wrong as an answer in range can be.
    """
    return {"pearson": 100 * _correlation(*_numbers(targets, predictions))}


def spearman(targets: Sequence[float], predictions: Sequence[float | None]) -> dict[str, float]:
    """Returns Spearman's rank correlation; ties share their mean rank, no number counts as in `pearson`."""
    from scipy.stats import rankdata

    wanted, given = _numbers(targets, predictions)
    return {"spearman": 100 * _correlation(rankdata(wanted), rankdata(given))}


# Question answering -----------------------------------------------------------------------------------


def squad(targets: Sequence[Any], predictions: Sequence[str]) -> dict[str, float]:
    """Returns SQuAD v1.1's exact match and token F1, the best over the answers of each question.

    Texts are compared in lower case, without punctuation and the articles a, an, the. No answer at all is
    matched by the empty prediction. Two texts of which nothing is left agree, as in SQuAD v2's script.
    """
    return _question_answering(targets, predictions, _DELETE_PUNCTUATION)


def trivia_qa(targets: Sequence[Any], predictions: Sequence[str]) -> dict[str, float]:
    """Returns exact match and F1 as `squad` does, punctuation becoming a space (TriviaQA, closed-book)."""
    return _question_answering(targets, predictions, _SPACE_PUNCTUATION)


def normalize_answer(text: str, punctuation: Mapping[int, Any] = _DELETE_PUNCTUATION) -> str:
    """Returns `text` in lower case, punctuation translated, articles dropped, white space collapsed."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(punctuation)).split())


# Generated text ---------------------------------------------------------------------------------------


def bleu(targets: Sequence[Any], predictions: Sequence[str]) -> dict[str, float]:
    """Returns the corpus's sacreBLEU: exponential smoothing, international tokenisation, case kept.

    A target is a reference or a list of them.
    """
    if not _pairs(targets, predictions):
        return {"bleu": 0.0}
    import sacrebleu

    references = [_as_answers(target) for target in targets]
    streams: list[Any] = [list(stream) for stream in zip_longest(*references)]
    score = sacrebleu.corpus_bleu(list(predictions), streams, smooth_method="exp", tokenize="intl", force=True)
    return {"bleu": float(score.score)}


def rouge(targets: Sequence[str], predictions: Sequence[str]) -> dict[str, float]:
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
    return {kind: _percent([score[kind].fmeasure for score in scores]) for kind in kinds}


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


def _percent(values: Sequence[float]) -> float:
    return 100 * float(np.mean(values)) if len(values) else 0.0


def _percent_equal(targets: Sequence[Any], predictions: Sequence[Any]) -> float:
    return _percent([bool(target == guess) for target, guess in _pairs(targets, predictions)])


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


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    if len(first) == 0 or first.min() == first.max() or second.min() == second.max():
        return 0.0
    # Scaling keeps the squares of absurdly large predictions finite.
    first, second = (values / np.abs(values).max() for values in (first, second))
    first, second = first - first.mean(), second - second.mean()
    norm = np.linalg.norm(first) * np.linalg.norm(second)
    return float(np.clip(first @ second / norm, -1, 1)) if norm > 0 else 0.0


def _as_answers(target: Any) -> list[str]:
    if isinstance(target, str):
        return [target]
    return list(target) or [""]


def _question_answering(
    targets: Sequence[Any], predictions: Sequence[str], punctuation: Mapping[int, Any]
) -> dict[str, float]:
    matches, overlaps = [], []
    for target, guess in _pairs(targets, predictions):
        given = normalize_answer(guess, punctuation)
        answers = [normalize_answer(answer, punctuation) for answer in _as_answers(target)]
        matches.append(given in answers)
        overlaps.append(max(_token_f1(answer, given) for answer in answers))
    return {"em": _percent(matches), "f1": _percent(overlaps)}


def _token_f1(answer: str, guess: str) -> float:
    wanted, given = answer.split(), guess.split()
    if not wanted or not given:
        return float(wanted == given)
    common = sum((Counter(wanted) & Counter(given)).values())
    return _f_score(common, len(wanted) - common, len(given) - common)
