"""Length buckets and the batches cut from them."""

import itertools

import numpy as np
import pytest

from t5mix.evaluation.buckets import bucket, length_batches, pad


def test_buckets_are_the_next_of_the_series():
    assert [bucket(n) for n in (0, 1, 16, 17, 24, 25, 48, 49, 65, 97, 129, 512, 513)] == [
        16, 16, 16, 24, 24, 32, 48, 64, 96, 128, 192, 512, 768,
    ]  # fmt: skip


def test_a_bucket_wastes_at_most_a_third():
    for length in range(16, 3000):
        assert length <= bucket(length) < 1.5 * length or length == 16


@pytest.mark.parametrize(("count", "batch_size"), [(0, 4), (1, 4), (4, 4), (23, 4), (23, 1), (5, 64)])
def test_batches_cover_each_example_once_and_keep_their_shape(count, batch_size):
    lengths = np.random.default_rng(0).integers(1, 200, count)
    seen = []
    for batch in length_batches(lengths, batch_size):
        assert batch.indices.shape == (batch_size,)
        assert batch.length == bucket(int(lengths[batch.indices].max()))
        seen += list(batch.indices[: batch.examples])
    assert sorted(seen) == list(range(count))
    assert all(lengths[a] >= lengths[b] for a, b in itertools.pairwise(seen))


def test_short_batch_repeats_its_last_row_and_ties_keep_their_order():
    (batch,) = length_batches([5, 5, 9], 5)
    assert batch.indices.tolist() == [2, 0, 1, 1, 1]
    assert batch.examples == 3


def test_batch_size_below_one_is_refused():
    with pytest.raises(ValueError, match="batch_size"):
        next(length_batches([1], 0))


def test_pad():
    rows = pad([np.array([1, 2]), np.array([], np.int32)], 3, pad_id=7)
    assert rows.dtype == np.int32
    assert rows.tolist() == [[1, 2, 7], [7, 7, 7]]
