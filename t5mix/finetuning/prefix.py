"""Prefix tuning: learned keys and values in every attention of a frozen model (Li and Liang 2021)."""

import re
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx

from t5mix.configurable import configurable
from t5mix.finetuning.adapters import check_size
from t5mix.finetuning.base import POLICIES, FineTuningPolicy, RunShape
from t5mix.model.layers import Attention, Dropout

_ATTENTIONS = {
    "encoder": ("encoder", "attention"),
    "decoder": ("decoder", "self_attention"),
    "cross": ("decoder", "cross_attention"),
}
"""The stack and the attribute of its blocks that each of the policy's words means."""


class PrefixAttention(Attention):
    """Attention, plus tanh(g) times attention over a learned prefix; g, one number a head, starts at zero.

    The prefix has a softmax of its own, as in LLaMA-Adapter (Zhang et al. 2023): nothing changes at first. It has no
    place in the row, so no relative bias, and every query sees it, whatever its segment. Its weights have no dropout.

    Keys and values start as standard normals, the scale of the model's own at its initialisation. T5's initial queries
    have length 1, so that the scores too start with a standard deviation of about 1.

    Args:
        base: the attention; its maps stay where they are.
        length: P.
        rngs: the source of the keys and values.
    """

    def __init__(self, base: Attention, length: int, *, rngs: nnx.Rngs):
        self.query, self.key, self.value, self.output = base.query, base.key, base.value, base.output
        self.num_heads = base.num_heads
        shape = (base.num_heads, length, base.query.kernel.shape[1] // base.num_heads)
        self.prefix_keys = nnx.Param(jax.random.normal(rngs.params(), shape, jnp.float32))
        self.prefix_values = nnx.Param(jax.random.normal(rngs.params(), shape, jnp.float32))
        self.prefix_gate = nnx.Param(jnp.zeros((base.num_heads,), jnp.float32))

    def mix(
        self, queries: jax.Array, keys: jax.Array, values: jax.Array, bias: jax.Array, dropout: Dropout
    ) -> jax.Array:
        """The values [B, H, L, K] and the prefix's, as the queries [B, H, Q, K] weigh them, [B, H, Q, K]."""
        mixed = super().mix(queries, keys, values, bias, dropout)
        dtype = mixed.dtype
        prefix_keys, prefix_values = self.prefix_keys[...].astype(dtype), self.prefix_values[...].astype(dtype)
        scores = jnp.einsum("bhqk,hpk->bhqp", queries, prefix_keys, preferred_element_type=jnp.float32)
        added = jnp.einsum("bhqp,hpk->bhqk", jax.nn.softmax(scores, axis=-1).astype(dtype), prefix_values)
        return mixed + jnp.tanh(self.prefix_gate[...]).astype(dtype)[:, None, None] * added


@POLICIES.register("prefix")
@configurable
class PrefixTuning(FineTuningPolicy):
    """Keys and values before those of the attentions train, and a gate for each head, and nothing else.

    Keys and values learn once the gates have left zero. Adafactor that scales by parameter moves what is zero by a
    thousandth of the learning rate at a time: use another optimizer, or turn that off.

    Attributes:
        length: P, the keys and values of each head.
        where: which attentions have them: the encoder's and the decoder's self-attention, and the cross-attention.
    """

    length: int = 16
    where: tuple[Literal["encoder", "decoder", "cross"], ...] = ("encoder", "decoder", "cross")

    def __post_init__(self) -> None:
        check_size("length", self.length)
        if not self.where or not set(self.where) <= _ATTENTIONS.keys():
            raise ValueError(f"finetuning.where is {self.where}: name one or more of {', '.join(_ATTENTIONS)}")

    def adapt(self, model: Any, rngs: Any) -> Any:
        """Gives a prefix to the chosen attentions of every block."""
        for choice, (stack, name) in _ATTENTIONS.items():
            for block in getattr(model, stack).blocks if choice in self.where else ():
                setattr(block, name, PrefixAttention(getattr(block, name), self.length, rngs=rngs))
        return model

    def unfreeze_step(self, path: str, run: RunShape) -> int | None:
        """Returns 0 for the prefixes."""
        return 0 if re.search(r"/prefix_(keys|values|gate)$", path) else None
