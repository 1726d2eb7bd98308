"""IA3: learned vectors that scale what a frozen model computes (Liu et al. 2022)."""

import re
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from t5mix.configurable import configurable
from t5mix.finetuning.bank import AdapterBank, BankLayout
from t5mix.finetuning.base import POLICIES, FineTuningPolicy, RunShape
from t5mix.finetuning.linear import replace_maps
from t5mix.model.layers import Dense


class OutputScaledDense(Dense):
    """(x W) * l: a linear map whose outputs are scaled; l starts at one."""

    def __init__(self, base: Dense):
        self.kernel, self.dtype, self.output_dtype = base.kernel, base.dtype, base.output_dtype
        self.ia3_outputs = nnx.Param(jnp.ones((base.kernel.shape[1],), jnp.float32))

    def __call__(self, x: jax.Array, task_ids: jax.Array | None = None) -> jax.Array:
        """[..., in] -> [..., out]."""
        mapped = super().__call__(x)
        return mapped * self.ia3_outputs[...].astype(mapped.dtype)


class InputScaledDense(Dense):
    """(x * l) W: a linear map whose inputs are scaled; l starts at one."""

    def __init__(self, base: Dense):
        self.kernel, self.dtype, self.output_dtype = base.kernel, base.dtype, base.output_dtype
        self.ia3_inputs = nnx.Param(jnp.ones((base.kernel.shape[0],), jnp.float32))

    def __call__(self, x: jax.Array, task_ids: jax.Array | None = None) -> jax.Array:
        """[..., in] -> [..., out]."""
        return super().__call__(x.astype(self.dtype) * self.ia3_inputs[...].astype(self.dtype))


class Scale(nnx.Module):
    """One task's vector, under the name that it has in a model of its own."""

    def __init__(self, name: str, size: int):
        self.name = name
        setattr(self, name, nnx.Param(jnp.ones((size,), jnp.float32)))

    @property
    def vector(self) -> jax.Array:
        """l, [size]."""
        return getattr(self, self.name)[...]


class ScaledBankDense(Dense):
    """A linear map whose outputs, or inputs, are scaled by the vector of each position's task."""

    def __init__(self, base: Dense, layout: BankLayout, *, outputs: bool):
        self.kernel, self.dtype, self.output_dtype, self.outputs = base.kernel, base.dtype, base.output_dtype, outputs
        name, size = ("ia3_outputs", base.kernel.shape[1]) if outputs else ("ia3_inputs", base.kernel.shape[0])
        self.bank = AdapterBank(layout, lambda: Scale(name, size))

    def __call__(self, x: jax.Array, task_ids: jax.Array | None = None) -> jax.Array:
        """[..., in] -> [..., out]."""
        scale = self.bank.routes(task_ids) @ self.bank.stacked(lambda task_module: task_module.vector)
        if self.bank.shared is not None:
            scale = scale * self.bank.shared.vector
        if self.outputs:
            mapped = super().__call__(x)
            return mapped * scale.astype(mapped.dtype)
        return super().__call__(x.astype(self.dtype) * scale.astype(self.dtype))


@POLICIES.register("ia3")
@configurable
class IA3(FineTuningPolicy):
    """Vectors that scale the keys, the values and the feed-forward's inner activations train, and nothing else."""

    def adapt(self, model: Any, rngs: Any) -> Any:
        """Puts a vector behind every key and value map, and before every way out of the feed-forward."""
        replace_maps(model, (r".*/(key|value)",), OutputScaledDense)
        replace_maps(model, (r".*/wo",), InputScaledDense)
        return model

    def in_bank(self, model: Any, rngs: Any, layout: BankLayout) -> Any:
        """Puts the vectors of all tasks where `adapt` puts one."""
        replace_maps(model, (r".*/(key|value)",), lambda base: ScaledBankDense(base, layout, outputs=True))
        replace_maps(model, (r".*/wo",), lambda base: ScaledBankDense(base, layout, outputs=False))
        return model

    def unfreeze_step(self, path: str, run: RunShape) -> int | None:
        """Returns 0 for the vectors."""
        return 0 if re.search(r"/ia3_\w+$", path) else None

    def merged(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the parameters of the plain model that computes the same.

        Args:
            params: of the adapted model, by path.
        """
        merged = {path: leaf for path, leaf in params.items() if not re.search(r"/ia3_\w+$", path)}
        for path, vector in params.items():
            dense, _, name = path.rpartition("/")
            if name == "ia3_outputs":
                merged[f"{dense}/kernel"] = params[f"{dense}/kernel"] * vector
            elif name == "ia3_inputs":
                merged[f"{dense}/kernel"] = params[f"{dense}/kernel"] * vector[:, None]
        return merged
