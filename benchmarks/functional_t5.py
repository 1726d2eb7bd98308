"""A T5 by hand: nested dictionaries of arrays and plain functions, float32, as short and fast as it gets.

It owes nothing to `t5mix.model` but the shapes, and serves `step_time.py` as the yardstick: what a
framework's modules may cost over it.
"""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

Params = dict[str, Any]
"""Nested parameters: dictionaries by name, lists by layer, arrays at the leaves."""


def nest(flat: Mapping[str, jax.Array]) -> Params:
    """Turns `encoder/blocks/0/attention/query/kernel` and its like into nested dictionaries and lists."""
    nested: Params = {}
    for path, leaf in flat.items():
        *parents, name = path.split("/")
        node = nested
        for parent in parents:
            node = node.setdefault(parent, {})
        node[name] = leaf
    for stack in (nested["encoder"], nested["decoder"]):
        stack["blocks"] = [stack["blocks"][str(i)] for i in range(len(stack["blocks"]))]
    return nested


def drop(x: jax.Array, key: jax.Array | None, rate: float) -> jax.Array:
    """Dropout of x [..., length, features] with one mask for the whole length."""
    if key is None:
        return x
    keep = jax.random.bernoulli(key, 1 - rate, (*x.shape[:-2], 1, x.shape[-1]))
    return x * (keep / (1 - rate))


def norm(x: jax.Array, scale: jax.Array) -> jax.Array:
    """RMS norm of the last axis."""
    return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-6) * scale


def relative_bias(table: jax.Array, length: int, bidirectional: bool) -> jax.Array:
    """[H, length, length] from a table [buckets, H]; maximum distance 128."""
    rows = jnp.arange(length)
    distance = rows[None, :] - rows[:, None]
    buckets, offset = table.shape[0], 0
    if bidirectional:
        buckets //= 2
        offset = buckets * (distance > 0)
        distance = jnp.abs(distance)
    else:
        distance = jnp.maximum(-distance, 0)
    exact = buckets // 2
    log = jnp.log(jnp.maximum(distance, 1) / exact + 1e-7) / math.log(128 / exact) * (buckets - exact)
    large = jnp.minimum(exact + log.astype(jnp.int32), buckets - 1)
    return table[jnp.where(distance < exact, distance, large) + offset].transpose(2, 0, 1)


def attention(
    p: Params,
    x: jax.Array,
    source: jax.Array,
    bias: jax.Array,
    heads: int,
    key: jax.Array | None,
    rate: float,
) -> jax.Array:
    """Attention from x [B, Q, D] to source [B, L, D]."""

    def project(name: str, y: jax.Array) -> jax.Array:
        return (y @ p[name]["kernel"]).reshape(y.shape[0], y.shape[1], heads, -1)

    query, keys, values = project("query", x), project("key", source), project("value", source)
    weights = jax.nn.softmax(jnp.einsum("bqhk,blhk->bhql", query, keys) + bias)
    mixed = jnp.einsum("bhql,blhk->bqhk", drop(weights, key, rate), values)
    return mixed.reshape(x.shape[0], x.shape[1], -1) @ p["output"]["kernel"]


def feed_forward(p: Params, x: jax.Array, key: jax.Array | None, rate: float) -> jax.Array:
    """ReLU, or gated GELU if there are two inner maps."""
    if "wi" in p:
        inner = jax.nn.relu(x @ p["wi"]["kernel"])
    else:
        inner = jax.nn.gelu(x @ p["wi_0"]["kernel"]) * (x @ p["wi_1"]["kernel"])
    return drop(inner, key, rate) @ p["wo"]["kernel"]


def encode(p: Params, batch: Mapping[str, jax.Array], heads: int, rate: float, key: Any) -> jax.Array:
    """The encoder's output [B, S, D]."""
    tokens, segments = batch["encoder_inputs"], batch["encoder_segment_ids"]
    stack = p["encoder"]
    count = 4 * len(stack["blocks"]) + 2
    keys = iter([None] * count if key is None else jax.random.split(key, count))
    visible = (segments[:, :, None] == segments[:, None, :]) & (segments > 0)[:, None, :]
    table = stack["relative_bias"]["embedding"]
    bias = jnp.where(visible[:, None], relative_bias(table, tokens.shape[1], True), -1e9)
    h = drop(p["token_embedding"]["embedding"][tokens], next(keys), rate)
    for block in stack["blocks"]:
        x = norm(h, block["attention_norm"]["scale"])
        x = attention(block["attention"], x, x, bias, heads, next(keys), rate)
        h = h + drop(x, next(keys), rate)
        x = norm(h, block["feed_forward_norm"]["scale"])
        h = h + drop(feed_forward(block["feed_forward"], x, next(keys), rate), next(keys), rate)
    return drop(norm(h, stack["final_norm"]["scale"]), next(keys), rate)


def decode(
    p: Params, encoded: jax.Array, batch: Mapping[str, jax.Array], heads: int, rate: float, key: Any
) -> jax.Array:
    """The decoder's output [B, T, D]."""
    tokens, segments = batch["decoder_inputs"], batch["decoder_segment_ids"]
    stack = p["decoder"]
    count = 6 * len(stack["blocks"]) + 2
    keys = iter([None] * count if key is None else jax.random.split(key, count))
    length = tokens.shape[1]
    visible = (segments[:, :, None] == segments[:, None, :]) & (segments > 0)[:, None, :]
    visible = visible & jnp.tril(jnp.ones((length, length), bool))
    bias = relative_bias(stack["relative_bias"]["embedding"], length, False)
    bias = jnp.where(visible[:, None], bias, -1e9)
    source = batch["encoder_segment_ids"]
    cross = (segments[:, :, None] == source[:, None, :]) & (source > 0)[:, None, :]
    cross_bias = jnp.where(cross[:, None], 0.0, -1e9)
    h = drop(p["token_embedding"]["embedding"][tokens], next(keys), rate)
    for block in stack["blocks"]:
        x = norm(h, block["self_attention_norm"]["scale"])
        x = attention(block["self_attention"], x, x, bias, heads, next(keys), rate)
        h = h + drop(x, next(keys), rate)
        x = norm(h, block["cross_attention_norm"]["scale"])
        x = attention(block["cross_attention"], x, encoded, cross_bias, heads, next(keys), rate)
        h = h + drop(x, next(keys), rate)
        x = norm(h, block["feed_forward_norm"]["scale"])
        h = h + drop(feed_forward(block["feed_forward"], x, next(keys), rate), next(keys), rate)
    return drop(norm(h, stack["final_norm"]["scale"]), next(keys), rate)


def logits(
    p: Params, batch: Mapping[str, jax.Array], *, heads: int, rate: float = 0.1, key: jax.Array | None = None
) -> jax.Array:
    """Logits [B, T, V]: T5 1.1 if there is an output matrix, else 1.0 (tied and scaled)."""
    encoder_key, decoder_key = (None, None) if key is None else jax.random.split(key)
    encoded = encode(p, batch, heads, rate, encoder_key)
    h = decode(p, encoded, batch, heads, rate, decoder_key)
    if "output" in p:
        return h @ p["output"]["kernel"]
    return (h * h.shape[-1] ** -0.5) @ p["token_embedding"]["embedding"].T
