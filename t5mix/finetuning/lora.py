"""LoRA: a low-rank correction of linear maps (Hu et al. 2022)."""

import math
import re
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from t5mix.configurable import configurable
from t5mix.finetuning.adapters import check_size
from t5mix.finetuning.bank import AdapterBank, BankLayout
from t5mix.finetuning.base import POLICIES, FineTuningPolicy, RunShape
from t5mix.finetuning.linear import replace_maps
from t5mix.model.layers import Dense

_FACTORS = ("lora_a", "lora_b", "lora_magnitude")


class LoRADense(Dense):
    """x W + scale x A B. B starts at zero, so nothing changes at first.

    With DoRA (Liu et al. 2024) the columns of W + scale A B have a length of their own, kept here relative to W's, so
    that it starts at one whatever W is loaded later.

    Args:
        base: the map; its kernel stays where it is.
        rank: r.
        scale: of the correction.
        dora: whether the columns' lengths train apart from their directions.
        rngs: the source of A.
    """

    def __init__(self, base: Dense, rank: int, scale: float, *, dora: bool, rngs: nnx.Rngs):
        inputs, outputs = base.kernel.shape
        self.kernel, self.dtype, self.output_dtype, self.scale = base.kernel, base.dtype, base.output_dtype, scale
        bound = 1 / math.sqrt(inputs)
        draw = jax.random.uniform(rngs.params(), (inputs, rank), jnp.float32, -bound, bound)
        self.lora_a, self.lora_b = nnx.Param(draw), nnx.Param(jnp.zeros((rank, outputs), jnp.float32))
        self.lora_magnitude = nnx.Param(jnp.ones((outputs,), jnp.float32)) if dora else None

    def __call__(self, x: jax.Array, task_ids: jax.Array | None = None) -> jax.Array:
        """[..., in] -> [..., out]."""
        x = x.astype(self.dtype)
        a, b = (self.scale * self.lora_a[...]).astype(self.dtype), self.lora_b[...].astype(self.dtype)
        correction = jnp.matmul(jnp.matmul(x, a), b, preferred_element_type=self.output_dtype)
        mapped = super().__call__(x) + correction
        return mapped if self.lora_magnitude is None else mapped * self._stretch().astype(mapped.dtype)

    def _stretch(self) -> jax.Array:
        """Returns what each column is multiplied by, [out]."""
        assert self.lora_magnitude is not None
        kernel = self.kernel[...]
        moved = kernel + self.scale * self.lora_a[...] @ self.lora_b[...]
        # As published, the length that is divided by passes no gradient on.
        return self.lora_magnitude[...] * _lengths(kernel) / jax.lax.stop_gradient(_lengths(moved))


class Factors(nnx.Module):
    """A and B of one task, [in, rank] and [rank, out]."""

    def __init__(self, base: Dense, rank: int, rngs: nnx.Rngs):
        single = LoRADense(base, rank, 1.0, dora=False, rngs=rngs)
        self.lora_a, self.lora_b = single.lora_a, single.lora_b


class LoRABankDense(Dense):
    """x W + scale x A B with the A and B of each position's task, and perhaps a pair for all tasks.

    Args:
        base: the map; its kernel stays where it is.
        bank: the factors.
        scale: of the corrections.
    """

    def __init__(self, base: Dense, bank: AdapterBank[Factors], scale: float):
        self.kernel, self.dtype, self.output_dtype, self.scale = base.kernel, base.dtype, base.output_dtype, scale
        self.bank = bank

    def __call__(self, x: jax.Array, task_ids: jax.Array | None = None) -> jax.Array:
        """[..., in] -> [..., out]."""
        x, bank = x.astype(self.dtype), self.bank
        a, b = (
            bank.stacked(lambda task_module: task_module.lora_a[...]),
            bank.stacked(lambda task_module: task_module.lora_b[...]),
        )
        inner = jnp.einsum("...i,nir->...nr", x, (self.scale * a).astype(self.dtype))
        of_task = inner * bank.routes(task_ids).astype(self.dtype)[..., None]
        correct = jnp.einsum("...nr,nro->...o", of_task, b.astype(self.dtype), preferred_element_type=self.output_dtype)
        if bank.shared is not None:
            a, b = (self.scale * bank.shared.lora_a[...]).astype(self.dtype), bank.shared.lora_b[...]
            correct += jnp.matmul(x @ a, b.astype(self.dtype), preferred_element_type=self.output_dtype)
        return super().__call__(x) + correct


def _lengths(kernel: jax.Array) -> jax.Array:
    return jnp.sqrt(jnp.sum(jnp.square(kernel), axis=0))


@POLICIES.register("lora")
@configurable
class LoRA(FineTuningPolicy):
    """Low-rank corrections of linear maps train, and nothing else.

    Attributes:
        rank: r.
        alpha: the correction is scaled by alpha / rank, or with `rank_stabilized` by alpha / sqrt(rank).
        targets: patterns for the paths of the linear maps, as in `encoder/blocks/0/attention/query`.
        rank_stabilized: rsLoRA's scale (Kalajdzievski 2023).
        dora: the lengths of the maps' columns train apart from their directions (DoRA, Liu et al. 2024).
    """

    rank: int = 8
    alpha: float = 16.0
    targets: tuple[str, ...] = (r".*/(query|value)",)
    rank_stabilized: bool = False
    dora: bool = False

    def __post_init__(self) -> None:
        check_size("rank", self.rank)
        if not (math.isfinite(self.alpha) and self.alpha > 0):
            raise ValueError(f"finetuning.alpha is {self.alpha}: it must be greater than 0")
        if not self.targets:
            raise ValueError("finetuning.targets is empty: give at least one pattern")

    @property
    def scale(self) -> float:
        """What the correction is multiplied by."""
        return self.alpha / (math.sqrt(self.rank) if self.rank_stabilized else self.rank)

    def adapt(self, model: Any, rngs: Any) -> Any:
        """Corrects the linear maps that the targets match."""
        replace_maps(
            model, self.targets, lambda base: LoRADense(base, self.rank, self.scale, dora=self.dora, rngs=rngs)
        )
        return model

    def in_bank(self, model: Any, rngs: Any, layout: BankLayout) -> Any:
        """Corrects the linear maps that the targets match, for each task its own way."""

        def make(base: Dense) -> Dense:
            return LoRABankDense(base, AdapterBank(layout, lambda: Factors(base, self.rank, rngs)), self.scale)

        replace_maps(model, self.targets, make)
        return model

    def check_in_bank(self) -> None:
        """Refuses DoRA, which no bank has.

        Raises:
            ValueError: DoRA is asked for.
        """
        if self.dora:
            raise ValueError("finetuning.policy.dora is true: a bank has plain LoRA only")

    def unfreeze_step(self, path: str, run: RunShape) -> int | None:
        """Returns 0 for the corrections."""
        return 0 if re.search(r"/lora_\w+$", path) else None

    def merged(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the parameters of the plain model that computes the same.

        Args:
            params: of the adapted model, by path.
        """
        merged = {path: leaf for path, leaf in params.items() if path.rsplit("/", 1)[-1] not in _FACTORS}
        for path in params:
            if path.endswith("/lora_a"):
                dense = path.removesuffix("/lora_a")
                kernel = params[f"{dense}/kernel"]
                moved = kernel + self.scale * params[path] @ params[f"{dense}/lora_b"]
                if self.dora:
                    moved = moved * (params[f"{dense}/lora_magnitude"] * _lengths(kernel) / _lengths(moved))
                merged[f"{dense}/kernel"] = moved
        return merged
