"""What each position may attend to, and the bucket of each relative distance."""

import jax
import jax.numpy as jnp

MASKED = -1e9
"""The bias of a position that must not be seen. Finite, so that a row of padding gives no NaN."""


def segment_mask(query_segments: jax.Array, key_segments: jax.Array) -> jax.Array:
    """Visibility within a segment: packed examples do not see one another, and nothing sees padding.

    Args:
        query_segments: [B, Q] int, 0 for padding, 1 and up for the examples packed into the row.
        key_segments: [B, K] int, likewise.

    Returns:
        [B, 1, Q, K] bool, True where the query may see the key.
    """
    same = query_segments[:, :, None] == key_segments[:, None, :]
    return (same & (key_segments > 0)[:, None, :])[:, None]


def causal_mask(length: int) -> jax.Array:
    """[1, 1, length, length] bool, True where the key is not after the query."""
    rows = jnp.arange(length)
    return (rows[None, :] <= rows[:, None])[None, None]


def mask_to_bias(mask: jax.Array) -> jax.Array:
    """float32 of the same shape: 0 where the mask is True, a large negative number where not."""
    return jnp.where(mask, 0.0, MASKED).astype(jnp.float32)


def relative_bucket(distance: jax.Array, *, bidirectional: bool, num_buckets: int, max_distance: int) -> jax.Array:
    """The bucket of a relative position (Raffel et al. 2020, section 2.1; Shaw et al. 2018).

    Half of a direction's buckets hold one distance each; the others grow logarithmically up to
    `max_distance`, and the last holds everything beyond. Bidirectional attention gives half of the
    buckets to each direction; causal attention puts every key that lies ahead into bucket 0.

    Args:
        distance: int of any shape, the key's position minus the query's.
        bidirectional: whether keys ahead have buckets of their own (the encoder).
        num_buckets: buckets in all.
        max_distance: the distance at which the logarithmic range ends.

    Returns:
        int32 of the same shape, in [0, num_buckets).
    """
    ahead = 0
    if bidirectional:
        num_buckets //= 2
        ahead = jnp.where(distance > 0, num_buckets, 0)
        distance = jnp.abs(distance)
    else:
        distance = jnp.maximum(-distance, 0)
    exact = num_buckets // 2
    starts = jnp.asarray(_log_bucket_starts(exact, num_buckets - exact, max_distance), jnp.int32)
    beyond = (distance[..., None] >= starts).sum(-1, dtype=jnp.int32)
    return (ahead + jnp.minimum(distance, exact) + beyond).astype(jnp.int32)


def _log_bucket_starts(exact: int, count: int, max_distance: int) -> list[int]:
    """The first distance of logarithmic buckets 1 to count - 1 (bucket 0 starts at `exact`).

    Bucket j starts at exact * (max_distance / exact)^(j / count). Integers decide it, so that no
    rounded logarithm puts a distance that lies on a boundary into the wrong bucket.
    """
    starts, distance = [], exact
    for j in range(1, count):
        while distance**count < exact ** (count - j) * max_distance**j:
            distance += 1
        starts.append(distance)
    return starts
