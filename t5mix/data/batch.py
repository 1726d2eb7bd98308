"""Filling a plan: the tokens of some rows of a batch, with segment ids, positions and task ids."""

from collections.abc import Callable

import numpy as np

from t5mix.data.packing import PackedLayout
from t5mix.data.token_store import TokenStore

Batch = dict[str, np.ndarray]
"""int32 arrays: `encoder_inputs`, `encoder_segment_ids`, `encoder_positions`, `encoder_task_ids`, each [B, S], and
`decoder_inputs`, `decoder_targets`, `decoder_segment_ids`, `decoder_positions`, `decoder_task_ids`, each [B, T].
Padding is 0 everywhere; a segment id of 0 is what tells it from content. A prompt's positions, before each example's
inputs, hold token 0 and are content: segment, task and positions count them in."""


def assemble_batch(layout: PackedLayout, store: Callable[[int, int], TokenStore], rows: slice | None = None) -> Batch:
    """Copies the tokens of the plan's examples into the arrays of a batch.

    Args:
        plan: the global plan.
        store: gives the token store of (task, piece).
        rows: the rows wanted, a contiguous slice; None for all of them.

    Returns:
        The arrays of those rows alone.
    """
    first, last, _ = (rows or slice(None)).indices(layout.shape.rows)
    here = slice(*np.searchsorted(layout.rows, [first, last]))  # the plan is ordered by row
    examples, segments = layout.examples[here], layout.segments[here]
    row = layout.rows[here] - first
    encoder = _Side(
        last - first, layout.shape.inputs, row, layout.input_offsets[here], examples.input_lengths, layout.shape.prompt
    )
    decoder = _Side(last - first, layout.shape.targets, row, layout.target_offsets[here], examples.target_lengths)

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
        """Copies the tokens of the examples `members`, which begin at `begins` in a store, to their places in `out`."""
        lengths = self.lengths[members]
        total = int(lengths.sum())
        within = np.arange(total) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        places = np.repeat(self.starts[members] + self._prompt, lengths) + within
        out[places] = tokens[np.repeat(begins, lengths) + within]

    def scatter(self, values: np.ndarray) -> np.ndarray:
        """Returns one value a position of the examples, laid out in the rows: int32 [rows, width]."""
        out = np.zeros(self._shape, np.int32)
        out.reshape(-1)[self._destinations] = values
        return out

    def scatter_each(self, values: np.ndarray) -> np.ndarray:
        """Returns one value an example, repeated over its positions and laid out in the rows."""
        return self.scatter(np.repeat(values, self._taken))
