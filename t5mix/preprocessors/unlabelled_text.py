"""Unlabelled text in numpy: the tokens of all texts joined, cut into chunks, and made into inputs and targets.

The same examples as the seqio preprocessors of `t5mix.preprocessors.objectives`, to the bit, without TensorFlow.
"""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from t5mix.data.ragged import Ragged, TokenBatch
from t5mix.errors import T5MixError
from t5mix.preprocessors.span_corruption import SpanCorruption, chunk_seeds

_CHUNKS = 128  # at a time


def language_model_chunk_length(lengths: Mapping[str, int]) -> int:
    """Returns the number of tokens of a chunk that is all target.

    Raises:
        T5MixError: the lengths leave no room for two tokens.
    """
    length = lengths["targets"] - 1
    if length < 2:
        raise T5MixError(f"Language modelling needs at least 3 target tokens, not {length + 1}.")
    return length


def language_model_examples(tokens: Iterable[np.ndarray], lengths: Mapping[str, int], eos: int) -> Iterator[TokenBatch]:
    """Makes the text the targets and leaves the inputs empty but for the end of the sequence."""
    for _, chunks in chunked(tokens, language_model_chunk_length(lengths)):
        yield _batch(chunks[:, :0], chunks, eos)


def span_corruption_examples(
    tokens: Iterable[np.ndarray],
    lengths: Mapping[str, int],
    corruption: SpanCorruption,
    *,
    seed: int,
    sentinels: np.ndarray,
    eos: int,
) -> Iterator[TokenBatch]:
    """Replaces random spans by sentinels in the inputs and collects them in the targets; see `SpanCorruption`."""
    for first, chunks in chunked(tokens, corruption.chunk_length(lengths)):
        seeds = chunk_seeds(seed, first, len(chunks))
        yield _batch(*corruption.corrupt(chunks, seeds, sentinels), eos)


def chunked(tokens: Iterable[np.ndarray], length: int) -> Iterator[tuple[int, np.ndarray]]:
    """Yields chunks of `length` tokens of all texts joined, [N, length], and the number of those before.

    The last one is shorter; if it has a single token, it is left out.
    """
    first, waiting, size = 0, [], 0
    for text in tokens:
        waiting.append(text)
        size += len(text)
        if size >= length * _CHUNKS:
            joined = np.concatenate(waiting)
            whole = size // length
            yield first, joined[: whole * length].reshape(whole, length)
            first, waiting, size = first + whole, [joined[whole * length :]], size % length
    joined = np.concatenate(waiting) if waiting else np.zeros(0, np.int32)
    whole = size // length
    if whole:
        yield first, joined[: whole * length].reshape(whole, length)
    if size % length > 1:
        yield first + whole, joined[None, whole * length :]


def _batch(inputs: np.ndarray, targets: np.ndarray, eos: int) -> TokenBatch:
    first, second = (
        Ragged(rows.reshape(-1).astype(np.int32), np.full(len(rows), rows.shape[1], np.int64)).with_end(eos)
        for rows in (inputs, targets)
    )
    return first, second
