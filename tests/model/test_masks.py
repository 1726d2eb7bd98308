"""Masks, and relative buckets known from the published models (`test_t5_reference.py` has the rest)."""

import jax.numpy as jnp

from t5mix.model import masks


def test_known_buckets_of_the_published_models() -> None:
    distances = jnp.array([0, -1, -7, -8, -11, -12, -16, -23, -32, -64, -127, -500, 1, 8, 500])
    got = masks.relative_bucket(distances, bidirectional=True, num_buckets=32, max_distance=128)
    assert got.tolist() == [0, 1, 7, 8, 8, 9, 10, 11, 12, 14, 15, 15, 17, 24, 31]


def test_a_segment_sees_itself_and_padding_is_seen_by_nobody() -> None:
    segments = jnp.array([[1, 1, 2, 0]])
    assert masks.segment_mask(segments, segments)[0, 0].astype(int).tolist() == [
        [1, 1, 0, 0],
        [1, 1, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 0, 0],
    ]


def test_causal_mask_and_bias() -> None:
    assert masks.causal_mask(3)[0, 0].astype(int).tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    bias = masks.mask_to_bias(jnp.array([True, False]))
    assert bias.dtype == jnp.float32
    assert bias.tolist() == [0.0, masks.MASKED]
