"""Metrics of summaries: ROUGE."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, ClassVar, Literal

from t5mix.configurable import configurable
from t5mix.metrics.example_scores import ExampleMetric, ExampleScores
from t5mix.metrics.pairs import Scores, as_answers, pair_up
from t5mix.metrics.words import english_words, mostly_english_letters, unicode_words

Words = list[str]

_TOKENIZERS = {"english": english_words, "unicode": unicode_words}
_KINDS = ("rouge2", "rouge1", "rougeL", "rougeLsum")


@configurable
class Rouge(ExampleMetric):
    """Mean ROUGE F scores, with ROUGE-2, T5's measure of CNN/DM, as the headline; each the best over the references.

    The values are those of the package rouge-score, without stemming or bootstrap. For rougeLsum a line is a sentence,
    and a sentence that ends in " . " ends its line.

    Attributes:
        tokenizer: "english" keeps a to z and 0 to 9; "unicode" takes the words of every script, and of those that put
            no spaces between words (Chinese, Japanese, Thai) each character.
    """

    kind: ClassVar[str] = "rouge"
    tokenizer: Literal["english", "unicode"] = "english"

    def example_scores(self, targets: Sequence[Any], predictions: Sequence[str]) -> Scores:
        """Returns the F scores of each example."""
        scores = [self._best(as_answers(target), guess) for target, guess in pair_up(targets, predictions)]
        return {kind: ExampleScores.of_means([score[i] for score in scores]) for i, kind in enumerate(_KINDS)}

    def limit(self, value: str, targets: Sequence[Any]) -> str:
        """Returns how many references have too few words, and the first of them."""
        needed = 2 if value == "rouge2" else 1
        tokenize = _TOKENIZERS[self.tokenizer]
        short = [
            (index, target)
            for index, target in enumerate(targets)
            if all(len(tokenize(reference)) < needed for reference in as_answers(target))
        ]
        if not short:
            return ""
        index, target = short[0]
        words = "no word" if needed == 1 else "fewer than two words"
        advice = " {rouge: {tokenizer: unicode}} knows other scripts." if self.tokenizer == "english" else ""
        return (
            f"{len(short):,} of {len(targets):,} references have {words} in the tokenizer {self.tokenizer!r}, first "
            f"that of example {index}: {as_answers(target)[0][:60]!r}.{advice}"
        )

    def doubt(self, targets: Sequence[Any]) -> str:
        """Returns that the tokenizer drops most of a reference, where that is so."""
        for reference in (reference for target in targets for reference in as_answers(target)):
            if self.tokenizer == "english" and not mostly_english_letters(reference):
                return (
                    f"the tokenizer 'english' drops most of {reference[:60]!r}. "
                    "{rouge: {tokenizer: unicode}} knows other scripts."
                )
        return ""

    def _best(self, references: Sequence[str], guess: str) -> list[float]:
        """Returns the best F score over the references, for each kind."""
        return [
            max(scores) for scores in zip(*(self._scores(reference, guess) for reference in references), strict=True)
        ]

    def _scores(self, reference: str, guess: str) -> list[float]:
        true, guessed = self._sentences(reference), self._sentences(guess)
        all_true, all_guessed = list(chain(*true)), list(chain(*guessed))
        if not all_true or not all_guessed:
            return [0.0] * len(_KINDS)
        longest = _longest_common(all_true, all_guessed)
        if len(true) == len(guessed) == 1:
            in_sentences = longest
        else:
            in_sentences = _common_by_sentence(true, guessed)
        pairs = [_ngram_f(all_true, all_guessed, 2), _ngram_f(all_true, all_guessed, 1)]
        return [*pairs, *(_f_score(common, len(all_true), len(all_guessed)) for common in (longest, in_sentences))]

    def _sentences(self, text: str) -> list[Words]:
        """Returns the words of each line."""
        tokenize = _TOKENIZERS[self.tokenizer]
        return [words for line in text.replace(" . ", " .\n").split("\n") if (words := tokenize(line))]


rouge = Rouge()


def _ngram_f(true: Words, guessed: Words, order: int) -> float:
    in_true, in_guessed = _ngrams(true, order), _ngrams(guessed, order)
    return _f_score((in_true & in_guessed).total(), in_true.total(), in_guessed.total())


def _ngrams(words: Words, order: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(words[start:] for start in range(order)), strict=False))


def _f_score(common: int, true: int, guessed: int) -> float:
    return 2 * common / (true + guessed) if common else 0.0


def _longest_common(true: Words, guessed: Words) -> int:
    """Returns the length of the longest common subsequence, a word of `guessed` at a time for all of `true` at once.

    Bit i of `open_` is 0 where the subsequence grows at word i of `true` (Hyyrö 2004).
    """
    places: dict[str, int] = {}
    for index, word in enumerate(true):
        places[word] = places.get(word, 0) | 1 << index
    everywhere = (1 << len(true)) - 1
    open_ = everywhere
    for word in guessed:
        shared = open_ & places.get(word, 0)
        open_ = (open_ + shared | open_ - shared) & everywhere
    return len(true) - open_.bit_count()


def _common_by_sentence(true: Sequence[Words], guessed: Sequence[Words]) -> int:
    """Returns the words of the unions of longest common subsequences, none counted more often than either text has it.

    Each sentence of `true` has one union, of its subsequences with every sentence of `guessed` (Lin 2004, 3.2).
    """
    left = Counter(chain(*true)) & Counter(chain(*guessed))
    common = 0
    for sentence in true:
        union = set[int]().union(*(_subsequence(sentence, other) for other in guessed))
        for index in sorted(union):
            if left[sentence[index]] > 0:
                left[sentence[index]] -= 1
                common += 1
    return common


def _subsequence(true: Words, guessed: Words) -> Iterable[int]:
    """Yields the places in `true` of a longest common subsequence: the one that rouge-score chooses."""
    table = [[0] * (len(guessed) + 1)]
    for word in true:
        above, row = table[-1], [0]
        for column, other in enumerate(guessed):
            row.append(above[column] + 1 if word == other else max(above[column + 1], row[column]))
        table.append(row)
    i, j = len(true), len(guessed)
    while i and j:
        if true[i - 1] == guessed[j - 1]:
            yield i - 1
            i, j = i - 1, j - 1
        elif table[i][j - 1] > table[i - 1][j]:
            j -= 1
        else:
            i -= 1
