"""Span corruption in numpy: how many tokens are hidden, which, and what inputs and targets come of it.

Raffel et al. 2020, sections 3.1.4 and 3.3.4; lengths and layout as in T5's released code. What is drawn is a function
of the seeds alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from t5mix.errors import T5MixError
from t5mix.preprocessors.philox import random_words, stateless_uniform


@dataclass(frozen=True)
class SpanCorruption:
    """How much is hidden.

    Attributes:
        noise_density: share of the tokens that is hidden.
        mean_span_length: mean number of tokens in a hidden span.
    """

    noise_density: float = 0.15
    mean_span_length: float = 3.0

    def __post_init__(self) -> None:
        if not 0 < self.noise_density < 1 or self.mean_span_length < 1:
            raise T5MixError(
                f"Span corruption needs 0 < noise_density < 1 and mean_span_length >= 1, not {self.noise_density} and "
                f"{self.mean_span_length}."
            )

    def span_counts(self, length: int) -> tuple[int, int]:
        """Returns (noise tokens, spans) for a chunk of `length` tokens; both at least 1, some tokens left over."""
        noise = min(max(round(length * self.noise_density), 1), length - 1)
        spans = min(max(round(noise / self.mean_span_length), 1), noise, length - noise)
        return noise, spans

    def corrupted_lengths(self, length: int) -> tuple[int, int]:
        """Returns the lengths (inputs, targets) that `length` raw tokens give: a sentinel a span, and the end."""
        noise, spans = self.span_counts(length)
        return length - noise + spans + 1, noise + spans + 1

    def chunk_length(self, lengths: Mapping[str, int]) -> int:
        """Returns the largest number of raw tokens whose inputs and targets both fit.

        512 inputs take 568 raw tokens, which give 114 targets (T5).

        Raises:
            T5MixError: the lengths leave no room for two tokens.
        """
        best = 0
        for length in range(2, lengths["inputs"] + lengths["targets"] + 1):  # no token is in both: no chunk is longer
            inputs, targets = self.corrupted_lengths(length)
            if inputs > lengths["inputs"] or targets > lengths["targets"]:
                break
            best = length
        if not best:
            raise T5MixError(
                f"Span corruption needs at least 3 tokens in inputs and targets, not {lengths['inputs']} and "
                f"{lengths['targets']}."
            )
        return best

    def check_sentinels(self, task: str, lengths: Mapping[str, int], sentinels: int) -> None:
        """Checks that a task's vocabulary has the sentinels that the longest chunk needs.

        Raises:
            T5MixError: it has too few.
        """
        needed = self.span_counts(self.chunk_length(lengths))[1]
        if needed > sentinels:
            raise T5MixError(
                f"Task {task!r}: span corruption at {lengths['inputs']} inputs and {lengths['targets']} targets needs "
                f"{needed} sentinels, and the vocabulary has {sentinels}. Set extra_ids to {needed} or more (T5 has "
                "100), or shorten the lengths."
            )

    def corrupt(self, chunks: np.ndarray, seeds: np.ndarray, sentinels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Replaces random spans by sentinels in the inputs; the targets hold the spans, each after its sentinel.

        A chunk of n tokens is cut into k unspoilt and k noise spans that alternate, an unspoilt one first, each
        division equally likely. The targets therefore end with a noise span; the last sentinel of the paper's figure 2
        would stand for an unspoilt span that is not there.

        Args:
            chunks: [N, length], tokens.
            seeds: [N, 2, 2], the seeds of the unspoilt and of the noise spans of each chunk.
            sentinels: their ids, in the order in which they are used.

        Returns:
            The inputs [N, inputs] and targets [N, targets], without an end of the sequence.
        """
        noise, spans = self.span_counts(chunks.shape[1])
        kept_lengths = _random_divisions(chunks.shape[1] - noise, spans, seeds[:, 0])
        noise_lengths = _random_divisions(noise, spans, seeds[:, 1])
        alternating = np.stack([kept_lengths, noise_lengths], axis=2).reshape(-1)
        in_noise = np.tile(np.arange(2 * spans) % 2 == 1, len(chunks))
        hidden = np.repeat(in_noise, alternating).reshape(chunks.shape)
        return _with_sentinels(chunks, hidden, sentinels), _with_sentinels(chunks, ~hidden, sentinels)


def chunk_seeds(seed: int, first: int, count: int) -> np.ndarray:
    """Returns the seeds [count, 2, 2] of chunks `first` and following, as seqio hands them to a mapped function.

    seqio zips four streams of random numbers with the data set, seeded one after the other from the preprocessing's
    seed (`seqio.map_over_dataset(num_seeds=2)`), and TensorFlow adds the global seed, which is the same.
    """
    streams = [random_words(seed, seed + offset, first, count) for offset in range(4)]
    return np.stack(streams, axis=1).reshape(count, 2, 2)


def _random_divisions(total: int, parts: int, seeds: np.ndarray) -> np.ndarray:
    """Divides `total` into `parts` whole numbers of at least 1, [N, parts]; all divisions are equally likely."""
    scores = stateless_uniform(seeds, total - 1)
    cuts = np.sort(np.argsort(-scores, axis=1, kind="stable")[:, : parts - 1], axis=1) + 1
    borders = np.pad(cuts, ((0, 0), (1, 1)), constant_values=((0, 0), (0, total)))
    return np.diff(borders, axis=1)


def _with_sentinels(chunks: np.ndarray, hidden: np.ndarray, sentinels: np.ndarray) -> np.ndarray:
    """Replaces each run of hidden positions by one sentinel, the first run by the first sentinel."""
    starts = hidden & ~np.pad(hidden[:, :-1], ((0, 0), (1, 0)))
    tokens = np.where(starts, sentinels[np.cumsum(starts, axis=1) - 1], chunks).astype(np.int32)
    return tokens[starts | ~hidden].reshape(len(chunks), -1)
