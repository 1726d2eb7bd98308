"""The compiled functions of a run, and where its state lies on the devices."""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from t5mix.checkpoint.reader import read_params
from t5mix.checkpoint.train_state import Params, TrainState, new_state
from t5mix.finetuning.base import BoundPolicy, RunShape
from t5mix.model.config import T5Config
from t5mix.model.t5 import abstract_model, init_params
from t5mix.training import sharding
from t5mix.training.config import TrainingConfig
from t5mix.training.optimizer import Optimizer, offset_schedule, per_group_optimizer, with_lr_multipliers
from t5mix.training.phases import divide_into_phases
from t5mix.training.schedule import Schedule
from t5mix.training.step import StepMetrics, StepSums, batch_sums, make_step

Step = Callable[[TrainState, dict[str, jax.Array]], tuple[TrainState, StepMetrics]]


class Engine:
    """Everything compiled, with the shardings it was compiled for.

    Args:
        model: the architecture, vocabulary size included.
        policy: see below.
        optimizer: how it trains.
        schedule: how fast.
        config: the loop's settings.
        mesh: the devices.
        seed: of initial parameters and dropout.

    Attributes:
        policy: what trains, and on which tasks.
        graphdef: the model's structure.
        phases: which parameters train when.
        mesh: the devices.
        rows: the rows of a batch that this process fills.
    """

    def __init__(
        self,
        model: T5Config,
        policy: BoundPolicy,
        optimizer: Optimizer,
        schedule: Schedule,
        config: TrainingConfig,
        mesh: sharding.MeshConfig,
        seed: int,
    ) -> None:
        self._model, self.policy, self._config, self._seed = model, policy, config, seed
        self.mesh = mesh.build(config.batch_size // config.gradient_accumulation_steps)
        self.graphdef, shapes = abstract_model(model, policy.adapt)
        run = RunShape(config.steps, model)
        self.phases = divide_into_phases(shapes, policy, run)
        self._params = self._with_dtypes_and_shardings(shapes)
        self._learning_rate = schedule.build(config.steps)
        # One optimizer for what begins to train together: its moments and its count are then as old as the training.
        self._optimizers = [
            with_lr_multipliers(
                optimizer.build(offset_schedule(self._learning_rate, start)),
                {path: policy.learning_rate_scale(path, run) for path in group},
            )
            for start, group in zip(self.phases.starts, self.phases.groups, strict=True)
        ]
        self._everywhere = NamedSharding(self.mesh, PartitionSpec())
        self._batch_sharding, self._rows = NamedSharding(self.mesh, sharding.BATCH), config.batch_size
        self.rows = sharding.local_rows(self._batch_sharding, config.batch_size)
        self._compiler = ThreadPoolExecutor(max_workers=1, thread_name_prefix="compile")
        self._compiled: dict[tuple[int, frozenset[str]], Future[Step]] = {}
        self._started: dict[Path | None, TrainState] = {}
        self._sums = jax.jit(
            lambda params, batch: batch_sums(self.graphdef, params, batch, policy.num_tasks),
            out_shardings=self._everywhere,
        )

    @property
    def prompt_length(self) -> int:
        """Positions that a prompt takes of each example's inputs."""
        return self.policy.prompt_length

    @property
    def params(self) -> dict[str, Any]:
        """Shapes, types and shardings of all parameters."""
        return dict(self._params)

    @property
    def num_parameters(self) -> int:
        """Number of parameters, trained and frozen."""
        return sum(leaf.size for leaf in self._params.values())

    @property
    def num_trained(self) -> int:
        """Number of parameters that train, sooner or later."""
        return sum(leaf.size for path, leaf in self._params.items() if path not in self.phases.frozen)

    def what_trains(self) -> list[str]:
        """Returns a sentence on what of the model trains; none where that is all of it from the start."""
        if not self.phases.frozen and len(self.phases.starts) == 1:
            return []
        return [self.phases.sentence({path: leaf.size for path, leaf in self._params.items()})]

    def like(self, step: int) -> TrainState:
        """Returns shapes, types and shardings of the state after `step` updates."""
        return self._like(self.phases.at(step))

    def _like(self, phase: int) -> TrainState:
        trained, frozen = self.phases.split(self._params, phase)
        optimizer = per_group_optimizer(self._optimizers[: phase + 1], self.phases.groups[: phase + 1])
        state = jax.eval_shape(lambda trained, frozen: new_state(trained, frozen, optimizer), trained, frozen)
        shardings = sharding.state_shardings(state, self._params, self.mesh)
        return jax.tree.map(
            lambda leaf, where: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=where), state, shardings
        )

    def start_ahead(self, checkpoint: Path | None, batch: Mapping[str, tuple[int, int]]) -> None:
        """Does already what `start` and the first step will need, for whoever still waits for the data.

        Args:
            checkpoint: that of `start`.
            batch: shapes of the arrays of a batch, by name.
        """
        self._compile(
            0,
            {
                name: jax.ShapeDtypeStruct(shape, np.int32, sharding=self._batch_sharding)
                for name, shape in batch.items()
            },
        )
        self._started[checkpoint] = self.start(checkpoint)

    def start(self, checkpoint: Path | None) -> TrainState:
        """Returns the state before the first step, from fresh parameters or those of a checkpoint.

        What the policy adds to the model is fresh where the checkpoint, of a plain model, lacks it.
        """
        if checkpoint in self._started:
            return self._started.pop(checkpoint)
        if checkpoint is None:
            params = self._fresh(self._params)
        else:
            added = self._params.keys() - abstract_model(self._model)[1].keys()
            params = read_params(checkpoint, self._params, may_lack=added)
            params |= self._fresh(self._params.keys() - params.keys())
        trained, frozen = self.phases.split(params, 0)
        step = jax.jit(lambda: jnp.zeros((), jnp.int32), out_shardings=self._everywhere)()
        return TrainState(step, trained, frozen, (self._fresh_optimizer(0, trained),))

    def advance(self, state: TrainState, step: int) -> TrainState:
        """Returns the state after `step` updates, made ready for the next one: in the phase that this belongs to."""
        for phase in range(len(state.optimizer), self.phases.at(step) + 1):
            trained, frozen = self.phases.split(state.params, phase)
            new = self._fresh_optimizer(phase, trained)
            state = TrainState(state.step, trained, frozen, (*state.optimizer, new))
        return state

    def _fresh_optimizer(self, phase: int, params: Params) -> Any:
        """Returns the state of the optimizer of what begins to train with a phase."""
        shardings = jax.tree.map(lambda leaf: leaf.sharding, self._like(phase).optimizer[phase])
        make = jax.jit(self._optimizers[phase].init, out_shardings=shardings)
        return make({path: params[path] for path in self.phases.groups[phase]})

    def _fresh(self, paths: Collection[str]) -> Params:
        """Returns initial parameters at some paths."""
        # Two programs, as the first is the same for most policies and compiled once for all runs of a sweep.
        plain = abstract_model(self._model)[1].keys()
        return {
            **self._initialized([path for path in paths if path in plain]),
            **self._initialized([path for path in paths if path not in plain]),
        }

    def _initialized(self, paths: Collection[str]) -> Params:
        if not paths:
            return {}

        def make(key: jax.Array) -> Params:
            params = init_params(self._model, key, self.policy.adapt)
            return {path: params[path].astype(self._params[path].dtype) for path in paths}

        shardings = {path: self._params[path].sharding for path in paths}
        return jax.jit(make, out_shardings=shardings)(jax.random.key(self._seed))

    def put(self, batch: dict[str, np.ndarray]) -> dict[str, jax.Array]:
        """Brings this process's rows of a batch to the devices."""
        if jax.process_count() == 1:
            return {name: jax.device_put(array, self._batch_sharding) for name, array in batch.items()}

        def put(rows: np.ndarray) -> jax.Array:
            shape = (self._rows, *rows.shape[1:])
            return jax.make_array_from_process_local_data(self._batch_sharding, np.asarray(rows), shape)

        return {name: put(rows) for name, rows in batch.items()}

    def put_rows(self, rows: np.ndarray) -> jax.Array:
        """Brings this process's part of rows that every process has, as many as a batch's, to the devices."""
        return self.put({"rows": rows[self.rows]})["rows"]

    def step(self, state: TrainState, batch: dict[str, np.ndarray]) -> tuple[TrainState, StepMetrics]:
        """Takes one step; the old state is used up.

        While a phase runs the step of the next one is compiled in the background.
        """
        phase, arrays = len(state.optimizer) - 1, self.put(batch)
        step = self._compile(phase, arrays)
        if phase + 1 < len(self.phases.starts):
            self._compile(phase + 1, arrays)
        return step.result()(state, arrays)

    def sums(self, params: Params, batch: dict[str, np.ndarray]) -> StepSums:
        """Returns the sums of a batch without dropout and without learning from it."""
        return self._sums(params, self.put(batch))

    def lower(self, phase: int, batch: Mapping[str, Any]) -> Any:
        """Returns the step of a phase, traced for batches of some shape and not yet compiled (`jax.stages.Lowered`)."""
        like = self._like(phase)
        optimizer = per_group_optimizer(self._optimizers[: phase + 1], self.phases.groups[: phase + 1])
        step = make_step(self.graphdef, optimizer, self._learning_rate, self._config, self.policy.num_tasks, self._seed)
        shardings = jax.tree.map(lambda leaf: leaf.sharding, like)
        return jax.jit(step, donate_argnums=0, out_shardings=(shardings, self._everywhere)).lower(like, dict(batch))

    def close(self) -> None:
        """Waits for what is being compiled."""
        self._compiler.shutdown(cancel_futures=True)

    def _compile(self, phase: int, batch: Mapping[str, Any]) -> "Future[Step]":
        """Returns the compiled step of a phase, or what will be it."""
        key = phase, frozenset(batch)
        if key not in self._compiled:
            shapes = {
                name: jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=array.sharding)
                for name, array in batch.items()
            }
            self._compiled[key] = self._compiler.submit(lambda: self.lower(phase, shapes).compile())
        return self._compiled[key]

    def _with_dtypes_and_shardings(self, shapes: Mapping[str, Any]) -> dict[str, Any]:
        shardings = sharding.param_shardings(shapes, self.mesh)

        def dtype(path: str, leaf: Any) -> Any:
            frozen_matrix = path in self.phases.frozen and leaf.ndim > 1
            return jnp.dtype(self._config.frozen_dtype) if frozen_matrix else leaf.dtype

        return {
            path: jax.ShapeDtypeStruct(leaf.shape, dtype(path, leaf), sharding=shardings[path])
            for path, leaf in shapes.items()
        }
