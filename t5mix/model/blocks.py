"""The blocks and stacks of T5, and what is handed to them.

Fine-tuning changes a block by replacing attributes: its `..._adapter` slots, or its `Dense` maps.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from flax import nnx

from t5mix.model.config import T5Config
from t5mix.model.layers import NO_DROPOUT, Attention, Dropout, FeedForward, RelativeBias, RMSNorm


@dataclasses.dataclass(frozen=True)
class BlockDropout:
    """The dropouts inside a stack, indexed by block, or inside one block once indexed. By default none.

    Attributes:
        weights: of the self-attention's weights, [B, H, 1, L].
        cross_weights: of the cross-attention's weights, [B, H, 1, S]; unused in the encoder.
        inner: of the feed-forward's inner activations, [B, 1, F].
        outputs: of the sublayers' outputs, [sublayers, B, 1, D].
        key: for modules that fine-tuning adds: a key of the block's own, which nothing here uses.
    """

    weights: Dropout = NO_DROPOUT
    cross_weights: Dropout = NO_DROPOUT
    inner: Dropout = NO_DROPOUT
    outputs: Dropout = NO_DROPOUT
    key: jax.Array | None = None

    @classmethod
    def draw(
        cls, key: jax.Array | None, config: T5Config, *, blocks: int, rows: int, length: int, source: int = 0
    ) -> "BlockDropout":
        """Draws the dropouts of a stack.

        Args:
            key: a key, or None for no dropout.
            config: the architecture and the rate.
            blocks: the number of blocks.
            rows: B.
            length: the stack's own length.
            source: the encoder's length, in a decoder.
        """
        if key is None:
            return cls()
        weights, cross_weights, inner, outputs, added = jax.random.split(key, 5)
        rate, heads, sublayers = config.dropout_rate, config.num_heads, 3 if source else 2
        return cls(
            weights=Dropout.draw(weights, rate, rows, (heads, 1, length), blocks),
            cross_weights=Dropout.draw(cross_weights, rate, rows, (heads, 1, source), blocks),
            inner=Dropout.draw(inner, rate, rows, (1, config.d_ff), blocks),
            outputs=Dropout.draw(outputs, rate, rows, (1, config.d_model), blocks, sublayers),
            key=jax.random.split(added, blocks),
        )

    def __getitem__(self, block: int) -> "BlockDropout":
        return BlockDropout(
            self.weights[block],
            self.cross_weights[block],
            self.inner[block],
            self.outputs[block],
            None if self.key is None else self.key[block],
        )


@dataclasses.dataclass(frozen=True)
class BlockContext:
    """What a block needs besides its hidden state. Added modules, such as adapters, see it too.

    Attributes:
        bias: float32, broadcastable to [B, H, Q, L]: relative positions and mask of the self-attention (one for each
            block, when handed to a stack).
        dropout: the dropouts of the block (of all blocks, when handed to a stack).
        task_ids: [B, L] int, the task of each position of this stack, or None; for modules routed by task.
    """

    bias: Any
    dropout: BlockDropout = BlockDropout()
    task_ids: jax.Array | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class DecoderContext(BlockContext):
    """A decoder block's context.

    Attributes:
        cross_bias: float32, broadcastable to [B, H, Q, S]: the mask of the cross-attention.
        encoded: [B, S, D] the encoder's output; None when a cache holds its keys and values.
        encoded_task_ids: [B, S] int, the task of each of its positions, or None.
        index: the position that a cache is to be written at.
    """

    cross_bias: jax.Array
    encoded: jax.Array | None = None
    encoded_task_ids: jax.Array | None = None
    index: jax.Array | int = 0


class LayerCache(NamedTuple):
    """Keys and values of one decoder block while decoding.

    Attributes:
        keys: [B, H, L, K] of the self-attention, for the positions decoded so far.
        values: [B, H, L, K], likewise.
        cross_keys: [B, H, S, K] of the encoder's output.
        cross_values: [B, H, S, K], likewise.
    """

    keys: jax.Array
    values: jax.Array
    cross_keys: jax.Array
    cross_values: jax.Array

    def write(self, keys: jax.Array, values: jax.Array, index: jax.Array | int) -> "LayerCache":
        """A cache that also holds one position's keys and values, [B, H, 1, K], at `index`."""
        update = functools.partial(jax.lax.dynamic_update_slice_in_dim, start_index=index, axis=2)
        return self._replace(keys=update(self.keys, keys), values=update(self.values, values))


class Residual(nnx.Module):
    """The end of a sublayer: adds what it computed to the residual stream. Fine-tuning may put more there."""

    def __call__(self, hidden: jax.Array, update: jax.Array, context: BlockContext) -> jax.Array:
        """Returns hidden + update, [B, L, D]."""
        del context
        return hidden + update


class EncoderBlock(nnx.Module):
    """Self-attention and feed-forward, each pre-norm with a residual connection.

    The `..._adapter` slots join a sublayer's output to the residual stream; they start as plain sums.
    """

    def __init__(self, config: T5Config, *, rngs: nnx.Rngs):
        self.attention_norm = RMSNorm(config, rngs=rngs)
        self.attention = Attention(config, rngs=rngs)
        self.attention_adapter = Residual()
        self.feed_forward_norm = RMSNorm(config, rngs=rngs)
        self.feed_forward = FeedForward(config, rngs=rngs)
        self.feed_forward_adapter = Residual()
        self.relative_bias = _own_bias(config, bidirectional=True, rngs=rngs)

    def __call__(self, hidden: jax.Array, context: BlockContext) -> jax.Array:
        """[B, S, D] -> [B, S, D]."""
        dropout, tasks = context.dropout, context.task_ids
        x = self.attention_norm(hidden)
        keys, values = self.attention.keys_values(x, tasks)
        x = self.attention(x, keys, values, context.bias, dropout.weights, tasks)
        hidden = self.attention_adapter(hidden, dropout.outputs[0](x), context)

        x = self.feed_forward(self.feed_forward_norm(hidden), dropout.inner, tasks)
        return self.feed_forward_adapter(hidden, dropout.outputs[1](x), context)


class DecoderBlock(nnx.Module):
    """Causal self-attention, cross-attention and feed-forward, each pre-norm with a residual connection."""

    def __init__(self, config: T5Config, *, rngs: nnx.Rngs):
        self.self_attention_norm = RMSNorm(config, rngs=rngs)
        self.self_attention = Attention(config, rngs=rngs)
        self.self_attention_adapter = Residual()
        self.cross_attention_norm = RMSNorm(config, rngs=rngs)
        self.cross_attention = Attention(config, rngs=rngs)
        self.cross_attention_adapter = Residual()
        self.feed_forward_norm = RMSNorm(config, rngs=rngs)
        self.feed_forward = FeedForward(config, rngs=rngs)
        self.feed_forward_adapter = Residual()
        self.relative_bias = _own_bias(config, bidirectional=False, rngs=rngs)

    def __call__(
        self, hidden: jax.Array, context: DecoderContext, cache: LayerCache | None = None
    ) -> tuple[jax.Array, LayerCache | None]:
        """[B, T, D] -> [B, T, D], and the cache with this call's position added if there is one."""
        dropout, tasks = context.dropout, context.task_ids
        x = self.self_attention_norm(hidden)
        keys, values = self.self_attention.keys_values(x, tasks)
        if cache is not None:
            cache = cache.write(keys, values, context.index)
            keys, values = cache.keys, cache.values
        x = self.self_attention(x, keys, values, context.bias, dropout.weights, tasks)
        hidden = self.self_attention_adapter(hidden, dropout.outputs[0](x), context)

        if cache is not None:
            keys, values = cache.cross_keys, cache.cross_values
        else:
            assert context.encoded is not None
            keys, values = self.cross_attention.keys_values(context.encoded, context.encoded_task_ids)
        x = self.cross_attention_norm(hidden)
        x = self.cross_attention(x, keys, values, context.cross_bias, dropout.cross_weights, tasks)
        hidden = self.cross_attention_adapter(hidden, dropout.outputs[1](x), context)

        x = self.feed_forward(self.feed_forward_norm(hidden), dropout.inner, tasks)
        return self.feed_forward_adapter(hidden, dropout.outputs[2](x), context), cache


def _own_bias(config: T5Config, *, bidirectional: bool, rngs: nnx.Rngs) -> RelativeBias | None:
    """The relative bias of one block; None where the stack has one for all."""
    return None if config.relative_bias == "shared" else RelativeBias(config, bidirectional=bidirectional, rngs=rngs)


class _Stack(nnx.Module):
    """What both stacks have: blocks, a norm at the end, and a relative bias for all blocks or in each."""

    def __init__(self, block: type[Any], blocks: int, config: T5Config, *, bidirectional: bool, rngs: nnx.Rngs):
        shared = config.relative_bias == "shared"
        self.relative_bias = RelativeBias(config, bidirectional=bidirectional, rngs=rngs) if shared else None
        self.blocks = nnx.List([block(config, rngs=rngs) for _ in range(blocks)])
        self.final_norm = RMSNorm(config, rngs=rngs)
        self.remat = config.remat

    def biases(self, bias_of: Callable[[RelativeBias], jax.Array]) -> tuple[jax.Array, ...]:
        """What `bias_of` makes of each block's relative bias, once where all blocks share one."""
        if self.relative_bias is not None:
            return (bias_of(self.relative_bias),) * len(self.blocks)
        return tuple(bias_of(block.relative_bias) for block in self.blocks)


class Encoder(_Stack):
    """The encoder stack, without its embedding."""

    def __init__(self, config: T5Config, *, rngs: nnx.Rngs):
        super().__init__(EncoderBlock, config.num_layers, config, bidirectional=True, rngs=rngs)

    def __call__(self, hidden: jax.Array, context: BlockContext) -> jax.Array:
        """[B, S, D] -> [B, S, D], normalised. The context's dropouts are those of all blocks."""
        for i, block in enumerate(self.blocks):
            inner = dataclasses.replace(context, bias=context.bias[i], dropout=context.dropout[i])
            call = functools.partial(block, context=inner)
            hidden = (jax.checkpoint(call) if self.remat else call)(hidden)
        return self.final_norm(hidden)


class Decoder(_Stack):
    """The decoder stack, without its embedding and output matrix."""

    def __init__(self, config: T5Config, *, rngs: nnx.Rngs):
        super().__init__(DecoderBlock, config.num_decoder_layers, config, bidirectional=False, rngs=rngs)

    def __call__(self, hidden: jax.Array, context: DecoderContext) -> jax.Array:
        """[B, T, D] -> [B, T, D], normalised. The context's dropouts are those of all blocks."""
        for i, block in enumerate(self.blocks):
            inner = dataclasses.replace(context, bias=context.bias[i], dropout=context.dropout[i])
            call = functools.partial(block, context=inner)
            hidden, _ = (jax.checkpoint(call) if self.remat else call)(hidden)
        return self.final_norm(hidden)

    def step(
        self, hidden: jax.Array, context: DecoderContext, caches: tuple[LayerCache, ...]
    ) -> tuple[jax.Array, tuple[LayerCache, ...]]:
        """One position, [B, 1, D] -> [B, 1, D], normalised, with a cache for each block."""
        written = []
        for block, cache, bias in zip(self.blocks, caches, context.bias, strict=True):
            hidden, cache = block(hidden, dataclasses.replace(context, bias=bias), cache)
            written.append(cache)
        return self.final_norm(hidden), tuple(written)
