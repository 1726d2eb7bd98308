"""The training step: one compiled function from state and batch to state and sums."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from t5mix.checkpoint.train_state import Params, TrainState
from t5mix.model.t5 import merge_params
from t5mix.training import losses
from t5mix.training.config import LossNormalizer, TrainingConfig
from t5mix.training.schedule import LearningRate

DeviceBatch = dict[str, jax.Array]


class StepSums(NamedTuple):
    """What a batch says, as sums; one entry a task where it says [N].

    Attributes:
        objective: the summed objective, smoothing and z-loss included, [].
        cross_entropy: nats, [N].
        correct: loss tokens predicted right, [N].
        loss_tokens: [N].
        excess: nats above a reference model's, where a token is; [N]. None without a reference model.
    """

    objective: jax.Array
    cross_entropy: jax.Array
    correct: jax.Array
    loss_tokens: jax.Array
    excess: jax.Array | None = None


class StepMetrics(NamedTuple):
    """What leaves a step.

    Attributes:
        sums: of the batch.
        gradient_norm: global norm before clipping, [].
        learning_rate: in force, [].
    """

    sums: StepSums
    gradient_norm: jax.Array
    learning_rate: jax.Array


def batch_sums(
    graphdef: nnx.GraphDef[Any],
    params: Params,
    batch: DeviceBatch,
    num_tasks: int,
    *,
    key: jax.Array | None = None,
    z_loss: float = 0.0,
    label_smoothing: float = 0.0,
) -> StepSums:
    """Runs the model on a batch and sums its losses.

    Args:
        graphdef: the model's structure.
        params: its parameters.
        batch: `t5mix.data.batch.Batch`, and optionally, float32 [B, T], `decoder_loss_weights`, what each token counts
            in the objective, and `decoder_reference_losses`, a reference model's cross-entropy.
        num_tasks: N.
        key: of the dropout masks; None for evaluation, without dropout.
        z_loss: see `losses.token_losses`.
        label_smoothing: see there.
    """
    logits = merge_params(graphdef, params)(batch, key=key)
    tokens = losses.token_losses(logits, batch["decoder_targets"], z_loss=z_loss, label_smoothing=label_smoothing)
    mask, tasks = batch["decoder_segment_ids"] > 0, batch["decoder_task_ids"]

    def by_task(values: jax.Array) -> jax.Array:
        return losses.sum_by_task(values, tasks, mask, num_tasks)

    reference = batch.get("decoder_reference_losses")
    return StepSums(
        objective=jnp.sum(tokens.objective * batch.get("decoder_loss_weights", mask)),
        cross_entropy=by_task(tokens.cross_entropy),
        correct=by_task(tokens.correct),
        loss_tokens=by_task(mask),
        excess=None if reference is None else by_task(jnp.maximum(tokens.cross_entropy - reference, 0.0)),
    )


def make_step(
    graphdef: nnx.GraphDef[Any],
    optimizer: optax.GradientTransformation,
    learning_rate: LearningRate,
    config: TrainingConfig,
    num_tasks: int,
    seed: int,
) -> Callable[[TrainState, DeviceBatch], tuple[TrainState, StepMetrics]]:
    """Returns the step, to be compiled by the caller, who knows the shardings.

    Args:
        graphdef: the model's structure.
        optimizer: turns gradients into updates; sees the trained parameters only.
        learning_rate: for the log.
        config: losses, normaliser, clipping, accumulation.
        num_tasks: N.
        seed: of the dropout masks, which are a function of it and of the step.
    """

    def summed_objective(
        trained: Params, frozen: Params, batch: DeviceBatch, key: jax.Array
    ) -> tuple[jax.Array, StepSums]:
        sums = batch_sums(
            graphdef,
            {**trained, **frozen},
            batch,
            num_tasks,
            key=key,
            z_loss=config.z_loss,
            label_smoothing=config.label_smoothing,
        )
        return sums.objective, sums

    differentiate = jax.grad(summed_objective, has_aux=True)

    def step(state: TrainState, batch: DeviceBatch) -> tuple[TrainState, StepMetrics]:
        key = jax.random.fold_in(jax.random.key(seed), state.step)
        if config.gradient_accumulation_steps == 1:
            gradients, sums = differentiate(state.trained, state.frozen, batch, key)
        else:
            gradients, sums = _accumulate(differentiate, state, batch, key, config.gradient_accumulation_steps)
        scale = 1 / _normalizer(config.loss_normalizer, batch)
        gradients = jax.tree.map(lambda gradient: gradient * scale, gradients)
        norm = optax.tree.norm(gradients)
        if config.max_grad_norm is not None:
            shrink = jnp.minimum(1.0, config.max_grad_norm / jnp.maximum(norm, 1e-12))
            gradients = jax.tree.map(lambda gradient: gradient * shrink, gradients)
        updates, optimizer_state = optimizer.update(gradients, state.optimizer, state.trained)
        trained: Params = optax.apply_updates(state.trained, updates)  # type: ignore[assignment]
        metrics = StepMetrics(sums, norm, jnp.asarray(learning_rate(state.step), jnp.float32))
        return TrainState(state.step + 1, trained, state.frozen, optimizer_state), metrics

    return step


def _accumulate(
    differentiate: Callable[..., tuple[Params, StepSums]],
    state: TrainState,
    batch: DeviceBatch,
    key: jax.Array,
    parts: int,
) -> tuple[Params, StepSums]:
    """Adds up gradients and sums over microbatches, one after the other."""

    def microbatches(array: jax.Array) -> jax.Array:
        # Every parts-th row, so that each device keeps the rows it has.
        rows = array.reshape(array.shape[0] // parts, parts, *array.shape[1:])
        return rows.swapaxes(0, 1)

    def add(total: Any, part: tuple[jax.Array, DeviceBatch]) -> tuple[Any, None]:
        index, microbatch = part
        new = differentiate(state.trained, state.frozen, microbatch, jax.random.fold_in(key, index))
        return jax.tree.map(jnp.add, total, new), None

    stacked = {name: microbatches(array) for name, array in batch.items()}
    first = {name: array[0] for name, array in stacked.items()}
    shapes = jax.eval_shape(differentiate, state.trained, state.frozen, first, key)
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    total, _ = jax.lax.scan(add, zeros, (jnp.arange(parts), stacked))
    return total


def _normalizer(kind: LossNormalizer, batch: DeviceBatch) -> jax.Array:
    """Returns the number that the summed objective of a batch is divided by; at least one."""
    mask = batch["decoder_segment_ids"] > 0
    if kind == "loss_tokens":
        return jnp.maximum(jnp.sum(mask), 1).astype(jnp.float32)
    if kind == "positions":
        return jnp.float32(mask.size)
    if kind == "examples":
        return jnp.maximum(jnp.sum(mask & (batch["decoder_positions"] == 0)), 1).astype(jnp.float32)
    return jnp.float32(1)
