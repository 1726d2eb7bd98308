"""Metrics of answers: SQuAD's and TriviaQA's exact match and F1."""

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from t5mix.metrics.example_scores import ExampleMetric, ExampleScores
from t5mix.metrics.pairs import Scores, as_answers, pair_up

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_DELETE_PUNCTUATION = str.maketrans("", "", string.punctuation)
# TriviaQA's own evaluation counts typographic quotes and accents among the punctuation.
_SPACE_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation + "\u2018\u2019\u00b4", " "))


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


def _question_answering(targets: Sequence[Any], predictions: Sequence[str], punctuation: Mapping[int, Any]) -> Scores:
    matches, overlaps = [], []
    for target, guess in pair_up(targets, predictions):
        given = normalize_answer(guess, punctuation)
        answers = [normalize_answer(answer, punctuation) for answer in as_answers(target)]
        matches.append(given in answers)
        overlaps.append(max(_token_f1(answer, given) for answer in answers))
    return {"em": ExampleScores.of_means(matches), "f1": ExampleScores.of_means(overlaps)}


def _token_f1(answer: str, guess: str) -> float:
    true, guessed = answer.split(), guess.split()
    if not true or not guessed:
        return float(true == guessed)
    common = sum((Counter(true) & Counter(guessed)).values())
    return _f_score(common, len(true) - common, len(guessed) - common)


def _f_score(hits: int, misses: int, alarms: int) -> float:
    return 2 * hits / (2 * hits + misses + alarms) if hits else 0.0
