"""What a perfect model would score: whether a task's vocabulary, labels and metrics can go together at all.

A perfect model writes every target as the vocabulary writes it. Where it does not get the best value, no model can, and
that is better known before training than after.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from t5mix.metrics.example_scores import ExampleMetric
from t5mix.metrics.pairs import matches
from t5mix.metrics.scoring import Scoring

UNKNOWN = "\u2047"
"""What SentencePiece writes for a character that its vocabulary does not have."""

_KEPT = 20
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class WrittenTarget:
    """A target text that comes back from the vocabulary as another.

    Attributes:
        text: as the files have it.
        written: after one trip through the vocabulary.
        example: the first example that has it, from 0.
        count: how many examples have it.
    """

    text: str
    written: str
    example: int
    count: int

    def __str__(self) -> str:
        return f"{_short(self.text)} comes back as {_short(self.written)} (example {self.example})"


@dataclass(frozen=True)
class PerfectScore:
    """What a perfect model scores on some examples.

    Attributes:
        examples: their number.
        values: of all metrics, by name.
        capped: why a metric is not at its best (100; 1 for perplexity, 0 for bits per byte), by name, as a clause.
            Empty is what one hopes for.
        doubts: why a metric says little about these targets although it is at its best, by metric.
        mismatched: the first targets that post-processing does not recognise in what the vocabulary makes of them.
        mismatches: the number of examples that have such a target.
        unwritable: the first targets with characters that the vocabulary cannot write.
        unwritables: the number of examples that have such a target.
    """

    examples: int
    values: Mapping[str, float]
    capped: Mapping[str, str]
    doubts: Mapping[str, str]
    mismatched: tuple[WrittenTarget, ...]
    mismatches: int
    unwritable: tuple[WrittenTarget, ...]
    unwritables: int

    def problems(self) -> list[str]:
        """Returns a sentence for each metric that is capped."""
        return [
            f"A perfect model would score {self.values[name]:.4g} in {name}: {reason.rstrip('.')}."
            for name, reason in self.capped.items()
        ]

    def warnings(self) -> list[str]:
        """Returns a sentence for each doubt, and one about the targets that cannot be written."""
        sentences = [f"{metric}: {doubt.rstrip('.')}." for metric, doubt in self.doubts.items()]
        if self.unwritables:
            first = "; ".join(map(str, self.unwritable[:3]))
            sentences.append(
                f"The vocabulary lacks characters of {self.unwritables:,} of the {self.examples:,} targets: {first}."
            )
        return sentences


def perfect_score(scoring: Scoring, texts: Sequence[str], examples: Sequence[Mapping[str, Any]]) -> PerfectScore:
    """Scores the predictions of a perfect model: each target after one trip through the vocabulary (`scoring.trip`).

    Args:
        scoring: of the task.
        texts: the target texts; of a task with answers, the first of each.
        examples: theirs, in the same order, with the fields that the post-processor looks at: the answers, or for
            metrics of likelihoods the tokens of the targets.

    Raises:
        T5MixError: a target is none of the task's labels, or not a number where it has to be.
    """
    trips = {text: scoring.trip(text) for text in dict.fromkeys(texts)}
    targets = scoring.targets(texts, examples)
    outputs = scoring.outputs([trips[text] for text in texts], examples)
    pairs = enumerate(zip(targets, outputs, strict=True))
    compared = "prediction" in scoring.takes
    wrong = [index for index, (target, output) in pairs if compared and not _agree(target, output)]
    lost_texts = {text for text, written in trips.items() if _is_lost(text, written)}
    lost = [index for index, text in enumerate(texts) if text in lost_texts] if lost_texts else []
    mismatched, unwritable = (_written(texts, trips, indices) for indices in (wrong, lost))
    values, capped, doubts = {}, {}, {}
    for metric in scoring.metrics:
        values_of_metric = metric(targets, metric.perfect(targets, outputs))
        values |= values_of_metric
        for name, value in values_of_metric.items():
            if texts and not abs(value - metric.best) <= _TOLERANCE:
                capped[name] = _reason(metric, name, targets, wrong, mismatched)
        if not capped.keys() & values_of_metric.keys() and (doubt := metric.doubt(targets)):
            doubts[metric.__name__] = doubt
    return PerfectScore(
        examples=len(texts),
        values=values,
        capped=capped,
        doubts=doubts,
        mismatched=mismatched[:_KEPT],
        mismatches=len(wrong),
        unwritable=unwritable[:_KEPT],
        unwritables=len(lost),
    )


def _agree(target: Any, output: Any) -> bool:
    return matches(target["label"] if isinstance(target, Mapping) else target, output)


def _is_lost(text: str, written: str) -> bool:
    return (UNKNOWN in written and UNKNOWN not in text) or (bool(text.strip()) and not written.strip())


def _written(texts: Sequence[str], trips: Mapping[str, str], indices: Iterable[int]) -> tuple[WrittenTarget, ...]:
    """Returns the distinct texts of some examples."""
    first: dict[str, int] = {}
    count: dict[str, int] = {}
    for index in indices:
        first.setdefault(texts[index], index)
        count[texts[index]] = count.get(texts[index], 0) + 1
    return tuple(WrittenTarget(text, trips[text], index, count[text]) for text, index in first.items())


def _reason(
    metric: ExampleMetric, value: str, targets: Sequence[Any], wrong: Sequence[int], written: Sequence[WrittenTarget]
) -> str:
    if wrong:
        return f"{len(wrong):,} of {len(targets):,} targets cannot be matched: {'; '.join(map(str, written[:3]))}"
    return metric.limit(value, targets) or "its definition gives these targets no more"


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:60] + "...")
