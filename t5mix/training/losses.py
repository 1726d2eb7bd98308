"""Losses as sums, never means: whoever needs a mean divides by the number that belongs to it."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class TokenLosses(NamedTuple):
    """Values for each target token, float32 [B, T].

    Attributes:
        cross_entropy: -log p(target), in nats.
        objective: what training minimises: the cross-entropy, smoothed if asked, plus the z-loss.
        correct: 1 where the target is the most probable token, else 0.
    """

    cross_entropy: jax.Array
    objective: jax.Array
    correct: jax.Array


def token_losses(
    logits: jax.Array, targets: jax.Array, *, z_loss: float = 0.0, label_smoothing: float = 0.0
) -> TokenLosses:
    """Computes the loss of every position, padding included.

    Args:
        logits: float32 [B, T, V].
        targets: int32 [B, T].
        z_loss: weight of log(Z)^2, which keeps the logits from drifting (Raffel et al. 2020; 1e-4 there).
        label_smoothing: share of the probability spread evenly over the vocabulary.
    """
    log_z = jax.nn.logsumexp(logits, axis=-1)
    of_target = jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
    cross_entropy = log_z - of_target
    objective = cross_entropy
    if label_smoothing:
        mean_cross_entropy = log_z - logits.mean(axis=-1)
        objective = (1 - label_smoothing) * cross_entropy + label_smoothing * mean_cross_entropy
    if z_loss:
        objective = objective + z_loss * log_z**2
    correct = (of_target >= logits.max(axis=-1)).astype(jnp.float32)
    return TokenLosses(cross_entropy, objective, correct)


def sum_by_task(values: jax.Array, task_ids: jax.Array, mask: jax.Array, num_tasks: int) -> jax.Array:
    """Sums values over the positions of each task.

    Args:
        values: float32 [B, T].
        task_ids: int32 [B, T], from 0.
        mask: bool [B, T]; positions where it is false count nowhere.
        num_tasks: N.

    Returns:
        float32 [N].
    """
    members = jax.nn.one_hot(task_ids, num_tasks, dtype=jnp.float32) * mask[..., None]
    return jnp.einsum("bt,btn->n", values.astype(jnp.float32), members)
