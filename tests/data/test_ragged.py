import numpy as np
import pytest

from t5mix.data.ragged import Ragged, token_batch

ROWS = [[5, 6, 7, 1], [], [9, 10, 11, 12, 13, 1], [1]]


def lists(rows: Ragged) -> list[list[int]]:
    return [row.tolist() for row in rows.rows()]


def test_rows_come_back():
    rows = Ragged.of(ROWS)
    assert (len(rows), rows.values.dtype, lists(rows)) == (4, np.int32, ROWS)
    assert lists(Ragged.of([])) == []
    assert lists(Ragged.of([[], []])) == [[], []]


def test_an_end_is_added_to_each():
    assert lists(Ragged.of(ROWS).with_end(1)) == [[*row, 1] for row in ROWS]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 6, 9])
def test_a_cut_keeps_the_first_tokens_and_the_last(limit: int):
    expected = [row if len(row) <= limit else [*row[: limit - 1], row[-1]] for row in ROWS]
    cut = Ragged.of(ROWS).cut(limit)
    assert lists(cut) == expected
    assert cut.lengths.tolist() == [len(row) for row in expected]


def test_a_batch_pairs_inputs_with_targets():
    inputs, targets = token_batch([([1, 2], [3]), ([4], [5, 6])])
    assert (lists(inputs), lists(targets)) == ([[1, 2], [4]], [[3], [5, 6]])
