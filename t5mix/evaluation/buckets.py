"""Batches of similar lengths: little padding, and few shapes for the compiler."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

_SHORTEST = 16


@dataclasses.dataclass(frozen=True)
class LengthBatch:
    """Which examples go through the model together.

    Attributes:
        indices: [B] int64 examples, one a row. Rows beyond `examples` repeat the last one: the batch keeps its
            shape, and no row is made of padding alone.
        examples: number of rows that count.
        length: the bucket's length, at least that of the longest row.
    """

    indices: np.ndarray
    examples: int
    length: int


def bucket(length: int) -> int:
    """Returns the bucket of a length: the next of 16, 24, 32, 48, 64, 96, 128, and so on without end.

    Steps of at most a half: a row is at most a third padding (but for the shortest), with two shapes an octave.
    """
    bound = _SHORTEST
    while bound < length:
        bound = bound * 3 // 2 if bound & (bound - 1) == 0 else bound * 4 // 3
    return bound


def length_batches(lengths: Sequence[int] | np.ndarray, batch_size: int) -> Iterator[LengthBatch]:
    """Yields batches that cover every example once, the longest first.

    Sorted by length and cut every `batch_size` rows, so that only the last batch can be short of examples; a
    batch's bucket is that of its longest row. The longest come first: a device's memory runs out at once or
    not at all. Examples of equal length keep their order.

    Raises:
        ValueError: `batch_size` is below 1.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, not {batch_size}.")
    lengths = np.asarray(lengths, np.int64)
    order = np.argsort(-lengths, kind="stable")
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        padded = np.concatenate([rows, np.repeat(rows[-1:], batch_size - len(rows))])
        yield LengthBatch(padded, len(rows), bucket(int(lengths[rows[0]])))


def pad(sequences: Sequence[np.ndarray], length: int, pad_id: int = 0) -> np.ndarray:
    """Returns the sequences as the rows of one int32 array [B, length], padded on the right."""
    rows = np.full((len(sequences), length), pad_id, np.int32)
    for row, tokens in zip(rows, sequences, strict=True):
        row[: len(tokens)] = tokens
    return rows
