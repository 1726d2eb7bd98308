"""Assembling a batch: the tokens of some rows of a layout, with segment ids, positions and task ids."""

from collections.abc import Callable

import numpy as np

from t5mix.data.packing import BatchShape, PackedLayout
from t5mix.data.token_store import TokenStore

Batch = dict[str, np.ndarray]
"""int32 arrays by name, of the shapes that `array_shapes` gives. Padding is 0 everywhere; a segment id of 0 is what
tells it from content. A prompt's positions, before each example's inputs, hold token 0 and are content: segment, task
and positions count them in."""

_ENCODER = ("inputs", "segment_ids", "positions", "task_ids")
_DECODER = ("inputs", "targets", "segment_ids", "positions", "task_ids")


def array_shapes(shape: BatchShape) -> dict[str, tuple[int, int]]:
    """Returns the shape of each array of a batch: [B, S] for the encoder's, [B, T] for the decoder's."""
    encoder = {f"encoder_{name}": (shape.rows, shape.inputs) for name in _ENCODER}
    return encoder | {f"decoder_{name}": (shape.rows, shape.targets) for name in _DECODER}


def assemble_batch(layout: PackedLayout, store: Callable[[int, int], TokenStore], rows: slice | None = None) -> Batch:
    """Copies the tokens of a layout's examples into the arrays of a batch.

    Args:
        layout: of the global batch.
        store: gives the token store of (task, shard).
        rows: the rows to return, a contiguous slice; None for all of them.

    Returns:
        The arrays of those rows alone.
    """
    first, last, _ = (rows or slice(None)).indices(layout.shape.rows)
    chosen = slice(*np.searchsorted(layout.rows, [first, last]))  # the layout is ordered by row
    examples, segments = layout.examples[chosen], layout.segments[chosen]
    row, shape = layout.rows[chosen] - first, layout.shape
    encoder = _Side(last - first, shape.inputs, row, layout.input_offsets[chosen], examples.input_lengths, shape.prompt)
    decoder = _Side(last - first, shape.targets, row, layout.target_offsets[chosen], examples.target_lengths)

    inputs = np.zeros(encoder.size, np.int32)  # what nothing is copied to is the prompts'
    targets = np.empty(decoder.size, np.int32)
    pairs = examples.tasks.astype(np.int64) << 32 | examples.shards
    for pair in np.unique(pairs):
        members = np.flatnonzero(pairs == pair)
        source = store(int(pair >> 32), int(pair & 0xFFFFFFFF))
        indices = examples.indices[members]
        encoder.gather(inputs, members, source.inputs, source.input_offsets[indices])
        decoder.gather(targets, members, source.targets, source.target_offsets[indices])

    shifted = np.zeros_like(targets)  # each target one to the right; a segment begins with padding, as T5 does
    shifted[1:] = targets[:-1]
    shifted[decoder.starts[decoder.lengths > 0]] = 0
    return {
        "encoder_inputs": encoder.scatter(inputs),
        "encoder_segment_ids": encoder.scatter_each(segments),
        "encoder_positions": encoder.scatter(encoder.positions),
        "encoder_task_ids": encoder.scatter_each(examples.tasks),
        "decoder_inputs": decoder.scatter(shifted),
        "decoder_targets": decoder.scatter(targets),
        "decoder_segment_ids": decoder.scatter_each(segments),
        "decoder_positions": decoder.scatter(decoder.positions),
        "decoder_task_ids": decoder.scatter_each(examples.tasks),
    }


class _Side:
    """The encoder's or the decoder's half of some rows, with its examples laid end to end.

    Args:
        rows: number of rows.
        width: positions in a row.
        row: the row of each example.
        offsets: the position in its row at which each example starts.
        lengths: the tokens of each example.
        prompt: the free positions before the tokens of each example.
    """

    def __init__(
        self, rows: int, width: int, row: np.ndarray, offsets: np.ndarray, lengths: np.ndarray, prompt: int = 0
    ) -> None:
        self._shape = (rows, width)
        self.lengths, self._prompt, self._taken = lengths, prompt, lengths + prompt
        self.size = int(self._taken.sum())
        self.starts = np.cumsum(self._taken) - self._taken  # where each example starts when all lie end to end
        self.positions = np.arange(self.size) - np.repeat(self.starts, self._taken)
        self._destinations = np.repeat(row * width + offsets, self._taken) + self.positions

    def gather(self, out: np.ndarray, members: np.ndarray, tokens: np.ndarray, begins: np.ndarray) -> None:
        """Copies the tokens of the examples `members`, which begin at `begins` in a store, into `out`."""
        lengths = self.lengths[members]
        total = int(lengths.sum())
        within = np.arange(total) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        targets = np.repeat(self.starts[members] + self._prompt, lengths) + within
        out[targets] = tokens[np.repeat(begins, lengths) + within]

    def scatter(self, values: np.ndarray) -> np.ndarray:
        """Returns one value a position of the examples, laid out in the rows: int32 [rows, width]."""
        out = np.zeros(self._shape, np.int32)
        out.reshape(-1)[self._destinations] = values
        return out

    def scatter_each(self, values: np.ndarray) -> np.ndarray:
        """Returns one value an example, repeated over its positions and laid out in the rows."""
        return self.scatter(np.repeat(values, self._taken))
