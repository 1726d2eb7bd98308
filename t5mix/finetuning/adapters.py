"""Adapters: small bottleneck networks between the layers of a frozen model."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
from flax import nnx

from t5mix.configurable import configurable
from t5mix.finetuning.bank import AdapterBank, BankLayout
from t5mix.finetuning.base import POLICIES, FineTuningPolicy, RunShape
from t5mix.finetuning.paths import is_layer_norm
from t5mix.model.blocks import BlockContext
from t5mix.model.config import T5Config
from t5mix.model.layers import Dense, RMSNorm


class Bottleneck(nnx.Module):
    """dense(D -> d), ReLU, dense(d -> D). The way up starts at zero, and so does what comes out.

    Args:
        model: the model's shape.
        dim: d.
        biases: whether both maps have one.
        own_norm: whether the input is normalised first, by a norm of the adapter's own.
        rngs: the source of the initial parameters.
    """

    def __init__(self, model: T5Config, dim: int, *, biases: bool, own_norm: bool, rngs: nnx.Rngs):
        self.norm = RMSNorm(model, rngs=rngs) if own_norm else None
        self.down = Dense(model.d_model, dim, model.d_model**-0.5, dtype=model.dtype, rngs=rngs)
        self.up = Dense(dim, model.d_model, 0.0, dtype=model.dtype, rngs=rngs)
        self.down_bias = nnx.Param(jnp.zeros((dim,), jnp.float32)) if biases else None
        self.up_bias = nnx.Param(jnp.zeros((model.d_model,), jnp.float32)) if biases else None

    def transform(self, x: jax.Array) -> jax.Array:
        """[B, L, D] -> [B, L, D]."""
        x = x if self.norm is None else self.norm(x)
        inner = self.down(x)
        if self.down_bias is not None:
            inner = inner + self.down_bias[...].astype(inner.dtype)
        outer = self.up(jax.nn.relu(inner))
        return outer if self.up_bias is None else outer + self.up_bias[...].astype(outer.dtype)

    def __call__(self, hidden: jax.Array, update: jax.Array, context: BlockContext) -> jax.Array:
        """Joins a sublayer's output to the residual stream, [B, L, D]."""
        return self.join(hidden, update, self.transform)

    @staticmethod
    @abstractmethod
    def join(hidden: jax.Array, update: jax.Array, transform: Callable[[jax.Array], jax.Array]) -> jax.Array:
        """Returns the residual stream, [B, L, D], with a sublayer's output and what `transform` makes."""


class LayerAdapter(Bottleneck):
    """A layer of its own after a sublayer: reads the residual stream and adds to it."""

    @staticmethod
    def join(hidden: jax.Array, update: jax.Array, transform: Callable[[jax.Array], jax.Array]) -> jax.Array:
        """Returns h + transform(h), where h = hidden + update."""
        hidden = hidden + update
        return hidden + transform(hidden)


class OutputAdapter(Bottleneck):
    """A correction of a sublayer's output, before that is added to the residual stream."""

    @staticmethod
    def join(hidden: jax.Array, update: jax.Array, transform: Callable[[jax.Array], jax.Array]) -> jax.Array:
        """Returns hidden + update + transform(update)."""
        return hidden + update + transform(update)


class BottleneckBank(AdapterBank[Bottleneck]):
    """An adapter for each task, and perhaps one for all, whose corrections add up."""

    def __call__(self, hidden: jax.Array, update: jax.Array, context: BlockContext) -> jax.Array:
        """Joins a sublayer's output to the residual stream, [B, L, D]."""
        routes = self.routes(context.task_ids)
        return self.first.join(hidden, update, lambda x: self._transform(x, routes))

    def _transform(self, x: jax.Array, routes: jax.Array) -> jax.Array:
        """[B, L, D] -> [B, L, D], by routes [B, L, N]."""
        shared = 0.0 if self.shared is None else self.shared.transform(x)
        norm = self.first.norm
        if norm is not None:
            x = norm.scaled(x, routes @ self.stacked(lambda task_module: task_module.norm.scale[...]))
        routes = routes.astype(x.dtype)
        down, up = (
            self.stacked(lambda task_module, name=name: getattr(task_module, name).kernel[...])
            for name in ("down", "up")
        )
        inner = jnp.einsum("bld,ndi->blni", x, down.astype(x.dtype))
        if self.first.down_bias is not None:
            inner = inner + self.stacked(lambda task_module: task_module.down_bias[...]).astype(x.dtype)
        of_task = jax.nn.relu(inner) * routes[..., None]
        outer = jnp.einsum("blni,nid->bld", of_task, up.astype(x.dtype))
        if self.first.up_bias is not None:
            outer = outer + routes @ self.stacked(lambda task_module: task_module.up_bias[...]).astype(x.dtype)
        return shared + outer


class _AdapterPolicy(FineTuningPolicy):
    """What the kinds of adapters share: they train, the model's norms may, and all else is frozen."""

    dim: int
    biases: bool
    train_norms: str
    slots: ClassVar[tuple[str, ...]]
    """The ends of sublayers that get an adapter, wherever a block has them."""

    @abstractmethod
    def module(self, model: T5Config, rngs: nnx.Rngs) -> Bottleneck:
        """Returns one adapter."""

    def adapt(self, model: Any, rngs: Any) -> Any:
        """Puts an adapter into every slot."""
        return self._fill(model, lambda: self.module(model.config, rngs))

    def in_bank(self, model: Any, rngs: Any, layout: BankLayout) -> Any:
        """Puts a bank of adapters into every slot."""
        return self._fill(model, lambda: BottleneckBank(layout, lambda: self.module(model.config, rngs)))

    def check_in_bank(self) -> None:
        """Refuses to train what the tasks have in common.

        Raises:
            ValueError: the model's own norms train.
        """
        if self.train_norms == "all":
            raise ValueError(
                "finetuning.policy.train_norms is 'all': the model's layer norms belong to all tasks of a bank. Set it "
                "to 'own' (adapter) or 'none' (houlsby, pfeiffer)"
            )

    def _fill(self, model: Any, make: Callable[[], nnx.Module]) -> Any:
        for block in _blocks(model):
            for slot in self.slots:
                if hasattr(block, slot):
                    setattr(block, slot, make())
        return model

    def unfreeze_step(self, path: str, run: RunShape) -> int | None:
        """Returns 0 for adapters, and for norms if they train; None for everything else."""
        added = "_adapter/" in path
        return 0 if added or (self.train_norms == "all" and is_layer_norm(path)) else None


@POLICIES.register("adapter")
@configurable
class Adapter(_AdapterPolicy):
    """Adapter layers as in T5 (Raffel et al. 2020, section 3.5.1; Houlsby et al. 2019).

    norm - dense - ReLU - dense with a residual connection after each block's feed-forward sublayer.

    Attributes:
        dim: d, the inner size.
        biases: whether the dense maps have one.
        train_norms: "all" trains the adapters and all layer norms, as the paper says; "own" the adapters and their own
            norms alone, as the released configuration does.
    """

    dim: int = 128
    biases: bool = True
    train_norms: Literal["all", "own"] = "all"
    slots: ClassVar[tuple[str, ...]] = ("feed_forward_adapter",)

    def __post_init__(self) -> None:
        check_size("dim", self.dim)

    def module(self, model: T5Config, rngs: nnx.Rngs) -> Bottleneck:
        """Returns a layer with a norm of its own."""
        return LayerAdapter(model, self.dim, biases=self.biases, own_norm=True, rngs=rngs)


@POLICIES.register("houlsby")
@configurable
class Houlsby(_AdapterPolicy):
    """Adapters after every sublayer, on its output before the residual sum (Houlsby et al. 2019).

    The cross-attention is one of them, which the `adapters` package leaves out unless asked (`cross_adapter`).

    Attributes:
        dim: d, the inner size.
        biases: whether the dense maps have one.
        train_norms: "all" trains the model's layer norms too, as the paper does; "none" the adapters alone.
    """

    dim: int = 64
    biases: bool = True
    train_norms: Literal["all", "none"] = "all"
    slots: ClassVar[tuple[str, ...]] = (
        "attention_adapter",
        "self_attention_adapter",
        "cross_attention_adapter",
        "feed_forward_adapter",
    )

    def __post_init__(self) -> None:
        check_size("dim", self.dim)

    def module(self, model: T5Config, rngs: nnx.Rngs) -> Bottleneck:
        """Returns a correction of a sublayer's output."""
        return OutputAdapter(model, self.dim, biases=self.biases, own_norm=False, rngs=rngs)


@POLICIES.register("pfeiffer")
@configurable
class Pfeiffer(Houlsby):
    """Adapters after the feed-forward sublayers alone (Pfeiffer et al. 2021).

    They read the sublayer's output. The `adapters` package lets its `seq_bn` read the residual stream instead, unless
    told otherwise (`original_ln_before=False`).

    Attributes:
        dim: d, the inner size.
        biases: whether the dense maps have one.
        train_norms: "all" trains the model's layer norms too; "none", as the paper does, the adapters alone.
    """

    dim: int = 48
    train_norms: Literal["all", "none"] = "none"
    slots: ClassVar[tuple[str, ...]] = ("feed_forward_adapter",)


def check_size(name: str, value: int) -> None:
    """Refuses a size below one.

    Raises:
        ValueError: it is.
    """
    if value < 1:
        raise ValueError(f"finetuning.{name} is {value}: it must be 1 or more")


def _blocks(model: Any) -> Iterator[Any]:
    yield from model.encoder.blocks
    yield from model.decoder.blocks
