"""Decoding as a configuration asks for it."""

import functools

import jax
import jax.numpy as jnp

from t5mix.decoding.beam import beam_search
from t5mix.decoding.config import GenerationConfig
from t5mix.decoding.decoded import Decoded
from t5mix.decoding.prefix_tree import PrefixTree
from t5mix.decoding.processors import processors_of
from t5mix.decoding.sampling import decode_apart
from t5mix.decoding.session import start, step
from t5mix.model.t5 import T5


def decode(
    model: T5,
    inputs: jax.Array,
    config: GenerationConfig,
    *,
    eos_id: int = 1,
    pad_id: int = 0,
    start_id: int | None = None,
    task_ids: jax.Array | None = None,
    seed: jax.Array | int | None = None,
    row_numbers: jax.Array | None = None,
    tree: PrefixTree | None = None,
) -> Decoded:
    """Decodes R sequences of each input, until all have ended.

    A row of nothing but padding fills up a batch: it decodes to padding, scores 0, and delays nobody.

    Args:
        model: the model.
        inputs: [B, S] int32, one example a row (not packed), padded with `pad_id`.
        config: how to decode. Static under jit.
        eos_id: the token that ends a sequence.
        pad_id: the padding token.
        start_id: the decoder's first input; None for the padding token, as T5 has it.
        task_ids: [B] the task of each row, or None; for modules routed by task.
        seed: in place of the configuration's; a seed that is not static spares compiling for each.
        row_numbers: [B] the number of each row in the data, which decides its samples; None counts the batch's rows.
        tree: the answers that are allowed; None for all.

    Raises:
        T5MixError: the configuration and the allowed answers contradict each other.
    """
    if tree is not None:
        tree.check(config)
    sequences = max(config.num_beams, config.num_return_sequences)
    keys = None
    if config.do_sample:
        numbers = jnp.arange(inputs.shape[0]) if row_numbers is None else row_numbers
        # Beams are drawn together, samples apart.
        keys = random_keys(config.seed if seed is None else seed, numbers, 1 if config.num_beams > 1 else sequences)
    strategy = decode_apart if config.num_beams == 1 else beam_search
    return strategy(
        functools.partial(step, model),
        start(model, inputs, config.limit, sequences=sequences, task_ids=task_ids, pad_id=pad_id),
        jnp.all(inputs == pad_id, axis=1),
        config,
        processors_of(config, eos_id, tree),
        start_id=pad_id if start_id is None else start_id,
        pad_id=pad_id,
        eos_id=eos_id,
        keys=keys[:, 0] if keys is not None and config.num_beams > 1 else keys,
        tree=tree,
    )


def random_keys(seed: jax.Array | int, numbers: jax.Array, samples: int) -> jax.Array:
    """The keys [B, samples] of rows that have these numbers in the data."""
    key = jax.random.key(seed)
    of_row = jax.vmap(lambda number: jax.random.fold_in(key, number))(numbers)
    return jax.vmap(lambda row: jax.vmap(lambda sample: jax.random.fold_in(row, sample))(jnp.arange(samples)))(of_row)
