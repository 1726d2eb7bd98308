"""Metrics of answers: SQuAD's and TriviaQA's exact match and F1, and the F1 of words as they are."""

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from t5mix.configurable import configurable
from t5mix.metrics.example_scores import ExampleMetric, ExampleScores, example_metric
from t5mix.metrics.pairs import Scores, as_answers, pair_up
from t5mix.metrics.words import unicode_words, written_without_spaces

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_DELETE_PUNCTUATION = str.maketrans("", "", string.punctuation)
# TriviaQA's own evaluation counts typographic quotes and accents among the punctuation.
_SPACE_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation + "\u2018\u2019\u00b4", " "))


@example_metric
def squad(targets: Sequence[Any], predictions: Sequence[str]) -> Scores:
    """Returns SQuAD v1.1's exact match and token F1, the best over the answers of each question.

    Texts are compared in lower case, without punctuation and the articles a, an, the. No answer at all is
    matched by the empty prediction. Two texts of which nothing is left agree, as in SQuAD v2's script.
    """
    return _question_answering(targets, predictions, _DELETE_PUNCTUATION)


@example_metric
def trivia_qa(targets: Sequence[Any], predictions: Sequence[str]) -> Scores:
    """Returns exact match and F1 as `squad` does, punctuation becoming a space (TriviaQA, closed-book)."""
    return _question_answering(targets, predictions, _SPACE_PUNCTUATION)


@configurable
class TokenF1(ExampleMetric):
    """Mean F1 of the words of prediction and target, the best over several targets; their order does not count.

    Texts are compared as they are, case and punctuation included, unlike in `squad`. A word that occurs twice counts
    twice. Two texts without a word agree.

    Attributes:
        tokenizer: "whitespace" parts words there; "unicode" takes words of letters and digits in lower case, and of
            scripts that put no spaces between words each character.
        separator: what parts words in place of white space, such as "," in the labels "joy, anger".
    """

    kind: ClassVar[str] = "token_f1"
    tokenizer: Literal["whitespace", "unicode"] = "whitespace"
    separator: str | None = None

    def __post_init__(self) -> None:
        if self.separator is not None and not self.separator.strip():
            raise ValueError(f"token_f1's separator is {self.separator!r}; leave it out to part words at white space")
        if self.separator is not None and self.tokenizer != "whitespace":
            raise ValueError("token_f1 takes a separator or the tokenizer unicode, not both")

    def example_scores(self, targets: Sequence[Any], predictions: Sequence[str]) -> Scores:
        """Returns the F1 of each example."""
        values = []
        for target, guess in pair_up(targets, predictions):
            guessed = self._words(guess)
            values.append(max(_word_f1(self._words(answer), guessed) for answer in as_answers(target)))
        return {"token_f1": ExampleScores.of_means(values)}

    def doubt(self, targets: Sequence[Any]) -> str:
        """Returns that targets are written without spaces and the tokenizer needs them, where that is so."""
        if self.tokenizer == "unicode" or self.separator is not None:
            return ""
        for text in (answer for target in targets for answer in as_answers(target)):
            if written_without_spaces(text):
                return f"{text[:60]!r} counts as one word. {{token_f1: {{tokenizer: unicode}}}} takes each character."
        return ""

    def _words(self, text: str) -> list[str]:
        if self.tokenizer == "unicode":
            return unicode_words(text)
        if self.separator is None:
            return text.split()
        return [part for part in map(str.strip, text.split(self.separator.strip())) if part]


token_f1 = TokenF1()


def normalize_answer(text: str, punctuation: Mapping[int, Any] = _DELETE_PUNCTUATION) -> str:
    """Returns `text` in lower case, punctuation translated, articles dropped, white space collapsed."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(punctuation)).split())


def _question_answering(targets: Sequence[Any], predictions: Sequence[str], punctuation: Mapping[int, Any]) -> Scores:
    matches, overlaps = [], []
    for target, guess in pair_up(targets, predictions):
        given = normalize_answer(guess, punctuation)
        answers = [normalize_answer(answer, punctuation) for answer in as_answers(target)]
        matches.append(given in answers)
        overlaps.append(max(_word_f1(answer.split(), given.split()) for answer in answers))
    return {"em": ExampleScores.of_means(matches), "f1": ExampleScores.of_means(overlaps)}


def _word_f1(true: Sequence[str], guessed: Sequence[str]) -> float:
    if not true or not guessed:
        return float(true == guessed)
    common = sum((Counter(true) & Counter(guessed)).values())
    return _f_score(common, len(true) - common, len(guessed) - common)


def _f_score(hits: int, misses: int, alarms: int) -> float:
    return 2 * hits / (2 * hits + misses + alarms) if hits else 0.0
