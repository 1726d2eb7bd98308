"""The compiled functions of a run, and where its state lies on the devices."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
from jax.sharding import NamedSharding, PartitionSpec

from t5mix.errors import T5MixError
from t5mix.finetuning.base import FineTuningPolicy
from t5mix.model.config import T5Config
from t5mix.model.t5 import abstract_model, init_params
from t5mix.training import sharding
from t5mix.training.checkpoint import read_params
from t5mix.training.config import TrainingConfig
from t5mix.training.optimizer import Optimizer
from t5mix.training.schedule import Schedule
from t5mix.training.state import Params, TrainState, new_state
from t5mix.training.step import StepMetrics, StepSums, batch_sums, make_step
from t5mix.trees import match, split
from t5mix.types import RunShape


class Engine:
    """Everything compiled, with the shardings it was compiled for.

    Args:
        model: the architecture, vocabulary size included.
        policy: what trains.
        optimizer: how.
        schedule: how fast.
        config: the loop's settings.
        mesh: the devices.
        num_tasks: number of tasks in the mixture.
        seed: of initial parameters and dropout.

    Attributes:
        graphdef: the model's structure.
        like: shapes, types and shardings of the state.
        mesh: the devices.
        rows: the rows of a batch that this process fills.
    """

    def __init__(
        self,
        model: T5Config,
        policy: FineTuningPolicy,
        optimizer: Optimizer,
        schedule: Schedule,
        config: TrainingConfig,
        mesh: sharding.MeshConfig,
        num_tasks: int,
        seed: int,
    ) -> None:
        self._model, self._policy, self._seed = model, policy, seed
        self.mesh = mesh.build(config.rows // config.accumulation)
        self.graphdef, shapes = abstract_model(model, policy.adapt)
        run = RunShape(config.steps, model)
        trained, frozen = _divide(shapes, policy, run)
        learning_rate = schedule.build(config.steps)
        scales = {path: policy.learning_rate_scale(path, run) for path in trained}
        self._optimizer = optax.chain(optimizer.build(learning_rate), _scaled(scales))
        self.like = self._with_shardings(jax.eval_shape(self._new_state, trained, frozen), shapes)
        state_shardings = jax.tree.map(lambda leaf: leaf.sharding, self.like)
        everywhere = NamedSharding(self.mesh, PartitionSpec())
        self._batch_sharding, self._rows = NamedSharding(self.mesh, sharding.BATCH), config.rows
        self.rows = sharding.local_rows(self._batch_sharding, config.rows)
        step = make_step(self.graphdef, self._optimizer, learning_rate, config, num_tasks, seed)
        self._step = jax.jit(step, donate_argnums=0, out_shardings=(state_shardings, everywhere))
        self._sums = jax.jit(
            lambda params, batch: batch_sums(self.graphdef, params, batch, num_tasks), out_shardings=everywhere
        )

    @property
    def num_parameters(self) -> int:
        """Number of parameters, trained and frozen."""
        return sum(leaf.size for leaf in self.like.params.values())

    @property
    def num_trained(self) -> int:
        """Number of parameters that train."""
        return sum(leaf.size for leaf in self.like.trained.values())

    def start(self, checkpoint: Path | None) -> TrainState:
        """Returns the state before the first step, from fresh parameters or those of a checkpoint.

        What the policy adds to the model is fresh where the checkpoint, of a plain model, lacks it.
        """
        if checkpoint is None:
            params = self._fresh(self.like.params)
        else:
            added = self.like.params.keys() - abstract_model(self._model)[1].keys()
            params = read_params(checkpoint, self.like.params, may_lack=added)
            params |= self._fresh(self.like.params.keys() - params.keys())
        trained = {path: params[path] for path in self.like.trained}
        frozen = {path: params[path] for path in self.like.frozen}
        make_state = jax.jit(self._new_state, out_shardings=jax.tree.map(lambda leaf: leaf.sharding, self.like))
        return make_state(trained, frozen)

    def _fresh(self, paths: Collection[str]) -> Params:
        """Returns initial parameters at some paths."""
        if not paths:
            return {}

        def make(key: jax.Array) -> Params:
            params = init_params(self._model, key, self._policy.adapt)
            return {path: params[path] for path in paths}

        shardings = {path: self.like.params[path].sharding for path in paths}
        return jax.jit(make, out_shardings=shardings)(jax.random.key(self._seed))

    def put(self, batch: dict[str, np.ndarray]) -> dict[str, jax.Array]:
        """Brings this process's rows of a batch to the devices."""
        if jax.process_count() == 1:
            return {name: jax.device_put(array, self._batch_sharding) for name, array in batch.items()}

        def put(rows: np.ndarray) -> jax.Array:
            shape = (self._rows, *rows.shape[1:])
            return jax.make_array_from_process_local_data(self._batch_sharding, np.asarray(rows), shape)

        return {name: put(rows) for name, rows in batch.items()}

    def step(self, state: TrainState, batch: dict[str, np.ndarray]) -> tuple[TrainState, StepMetrics]:
        """Takes one step; the old state is used up."""
        return self._step(state, self.put(batch))

    def sums(self, params: Params, batch: dict[str, np.ndarray]) -> StepSums:
        """Returns the sums of a batch without dropout and without learning from it."""
        return self._sums(params, self.put(batch))

    def _new_state(self, trained: Params, frozen: Params) -> TrainState:
        return new_state(trained, frozen, self._optimizer)

    def _with_shardings(self, state: TrainState, params: dict[str, Any]) -> TrainState:
        shardings = sharding.state_shardings(state, params, self.mesh)
        return jax.tree.map(
            lambda leaf, where: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=where), state, shardings
        )


def _divide(shapes: dict[str, Any], policy: FineTuningPolicy, run: RunShape) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns what a policy trains and what it freezes.

    Raises:
        T5MixError: it trains nothing, trains something from a later step on, or has a pattern that matches nothing.
    """
    match(getattr(policy, "patterns", ()), shapes)
    steps = {path: policy.unfreeze_step(path, run) for path in shapes}
    later = {path: step for path, step in steps.items() if step}
    if later:
        path, step = next(iter(later.items()))
        raise T5MixError(
            f"The fine-tuning policy {policy} trains {path} from step {step} on. This version of t5mix trains one set "
            "of parameters for the whole run: a policy answers 0 (always) or None (never)."
        )
    trained, frozen = split(shapes, lambda path: steps[path] == 0)
    if not trained:
        raise T5MixError(f"The fine-tuning policy {policy} trains no parameter of this model.")
    return trained, frozen


def _scaled(scales: Mapping[str, float]) -> optax.GradientTransformation:
    """Returns the transformation that scales each parameter's update, or none where no scale differs from one."""
    if all(scale == 1 for scale in scales.values()):
        return optax.identity()

    def scale(updates: Any, params: Any) -> Any:
        return {path: scales[path] * leaf for path, leaf in updates.items()}

    return optax.stateless(scale)
