"""Metrics of translations, as sacreBLEU computes them: BLEU, chrF and chrF++."""

import functools
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal

from t5mix.configurable import configurable
from t5mix.errors import T5MixError
from t5mix.metrics.example_scores import ExampleMetric, ExampleScores
from t5mix.metrics.pairs import Scores, as_answers, pair_up
from t5mix.metrics.words import written_without_spaces

_BY_SPACES = ("13a", "intl", "none")
_NEEDS_MORE = ("flores101", "flores200", "ja-mecab", "ko-mecab")
_ORDERS = 4
_MOST = 20


@configurable
class Bleu(ExampleMetric):
    """BLEU of the corpus, up to 4-grams, exponentially smoothed. A target is a reference or a list of them.

    Attributes:
        tokenize: sacreBLEU's tokenizer: "intl" and "13a" for languages that part words with spaces, "zh" for Chinese,
            "ja-mecab" and "ko-mecab" for Japanese and Korean, "char" for single characters, "flores200" and
            "flores101" for pieces of many languages, "none" for text that is tokenized already.
        lowercase: whether case is ignored.
    """

    kind: ClassVar[str] = "bleu"
    tokenize: Literal["intl", "13a", "zh", "char", "none", "flores101", "flores200", "ja-mecab", "ko-mecab"] = "intl"
    lowercase: bool = False

    def __post_init__(self) -> None:
        if self.tokenize in _NEEDS_MORE:
            self._load()

    def example_scores(self, targets: Sequence[Any], predictions: Sequence[str]) -> Scores:
        """Returns lengths and counts of n-grams."""
        rows = []
        for target, guess in pair_up(targets, predictions):
            counted = self._counter.sentence_score(guess, as_answers(target))
            rows.append([counted.sys_len, counted.ref_len, *counted.counts, *counted.totals])
        return {"bleu": ExampleScores.of("bleu", rows)}

    def signatures(self, targets: Sequence[Any]) -> dict[str, str]:
        """Returns sacreBLEU's signature."""
        import sacrebleu

        return {"bleu": _signature(sacrebleu.BLEU(tokenize=self.tokenize, lowercase=self.lowercase), targets)}

    def limit(self, value: str, targets: Sequence[Any]) -> str:
        """Returns that no reference is long enough, where that is so: BLEU is 0 without a 4-gram."""
        references = list(_references(targets))
        if any(len(self._words(reference)) >= _ORDERS for reference in references):
            return ""
        example = max(references, key=len, default="")
        return (
            f"no reference has {_ORDERS} tokens in the tokenizer {self.tokenize!r}, which BLEU needs: {example[:60]!r} "
            f"has {len(self._words(example))}. {_OTHER_TOKENIZER}"
        )

    def doubt(self, targets: Sequence[Any]) -> str:
        """Returns that references are written without spaces and the tokenizer needs them, where that is so."""
        if self.tokenize not in _BY_SPACES:
            return ""
        for reference in _references(targets):
            if written_without_spaces(reference):
                return (
                    f"the tokenizer {self.tokenize!r} needs spaces between words, and {reference[:60]!r} has none: "
                    f"whole sentences count as words. {_OTHER_TOKENIZER}"
                )
        return ""

    def _words(self, text: str) -> list[str]:
        return self._counter.tokenizer(text.rstrip()).split()

    @functools.cached_property
    def _counter(self) -> Any:
        return self._load()

    def _load(self) -> Any:
        """Returns sacreBLEU's counter of n-grams.

        Raises:
            T5MixError: the tokenizer needs a package or a file that cannot be had.
        """
        import sacrebleu

        try:
            # Only its counts are used, which are the corpus's; the effective order keeps it from warning of single
            # sentences.
            return sacrebleu.BLEU(tokenize=self.tokenize, lowercase=self.lowercase, effective_order=True)
        except Exception as error:  # sacreBLEU's tokenizers raise whatever they like
            if self.tokenize not in _NEEDS_MORE:
                raise
            raise T5MixError(
                f"sacreBLEU's tokenizer {self.tokenize!r} cannot be loaded: {' '.join(str(error).split())} "
                f"{_LOADING[self.tokenize]}"
            ) from error


@configurable
class ChrF(ExampleMetric):
    """chrF of the corpus: F2 of character n-grams; chrF++ with `word_order` 2. A target is a reference or a list.

    Attributes:
        char_order: the longest n-grams of characters.
        word_order: the longest n-grams of words: 0 for chrF, 2 for chrF++.
        lowercase: whether case is ignored.
        whitespace: whether spaces count as characters.
    """

    kind: ClassVar[str] = "chrf"
    char_order: int = 6
    word_order: int = 0
    lowercase: bool = False
    whitespace: bool = False

    def __post_init__(self) -> None:
        if not (1 <= self.char_order <= _MOST and 0 <= self.word_order <= _MOST):
            raise ValueError(
                f"chrf takes a char_order from 1 to {_MOST} and a word_order from 0 to {_MOST}, not {self.char_order} "
                f"and {self.word_order}"
            )

    def example_scores(self, targets: Sequence[Any], predictions: Sequence[str]) -> Scores:
        """Returns counts of n-grams, against the reference that the prediction is nearest to."""
        rows = []
        for target, guess in pair_up(targets, predictions):
            references = [[reference] for reference in as_answers(target)]
            # No public function of sacreBLEU tells the counts that a score is made of.
            rows += self._counter._extract_corpus_statistics([guess], references)
        return {"chrf": ExampleScores.of("chrf", rows)}

    def signatures(self, targets: Sequence[Any]) -> dict[str, str]:
        """Returns sacreBLEU's signature."""
        return {"chrf": _signature(self._counter, targets)}

    def limit(self, value: str, targets: Sequence[Any]) -> str:
        """Returns that all references are empty, where that is so."""
        return "" if any(map(str.strip, _references(targets))) else "every reference is empty"

    @functools.cached_property
    def _counter(self) -> Any:
        import sacrebleu

        return sacrebleu.CHRF(
            char_order=self.char_order,
            word_order=self.word_order,
            lowercase=self.lowercase,
            whitespace=self.whitespace,
        )


bleu = Bleu()
chrf = ChrF()

_OTHER_TOKENIZER = "Choose another, such as {bleu: {tokenize: zh}} or {bleu: {tokenize: char}}."
_LOADING = {
    "ja-mecab": "Install it with `pip install 'sacrebleu[ja]'`, or take char.",
    "ko-mecab": "Install it with `pip install 'sacrebleu[ko]'`, or take char.",
    **dict.fromkeys(
        ("flores101", "flores200"),
        "It is downloaded once, to ~/.sacrebleu/models; copy that folder from a machine with network, or take char.",
    ),
}


def _references(targets: Iterable[Any]) -> Iterable[str]:
    return (reference for target in targets for reference in as_answers(target))


def _signature(counter: Any, targets: Sequence[Any]) -> str:
    """Returns sacreBLEU's signature of a metric with these references."""
    counts = {len(as_answers(target)) for target in targets}
    counter.num_refs = counts.pop() if len(counts) == 1 else -1
    return str(counter.get_signature())
