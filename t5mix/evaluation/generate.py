"""A model over a whole token store: what it answers, and how probable it finds the targets or some labels."""

import dataclasses
import functools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from t5mix.checkpoint.train_state import Params
from t5mix.console.progress import progress
from t5mix.data.token_store import TokenStore
from t5mix.data.tokenizer import EOS, PAD
from t5mix.decoding import Decoded, GenerationConfig
from t5mix.decoding import decode as decode_batch
from t5mix.evaluation.buckets import LengthBatch, bucket, length_batches, pad
from t5mix.model.t5 import T5, merge_params

Put = Callable[[np.ndarray], jax.Array]
"""Brings the rows of a batch to the devices, sharded over them if the caller wishes."""

_IN_FLIGHT = 2  # batches handed to the device before the first is waited for: it never idles, memory stays bounded
_GREEDY = GenerationConfig()
_NO_SEQUENCE = -1e6  # above the score of places in which a beam search has found nothing
_CHOICE_TOKENS = 16  # that go through the decoder at once: the logits take no more memory than those of short targets


class TargetScores(NamedTuple):
    """How probable a model finds the targets.

    Attributes:
        log_probs: [N] float32, natural log-likelihood of each target, its end-of-sequence token included.
        tokens: [N] int64, the number of tokens of each target.
    """

    log_probs: np.ndarray
    tokens: np.ndarray


class Generated(NamedTuple):
    """What a model makes of one input.

    Attributes:
        tokens: int32, up to and without end-of-sequence.
        log_prob: natural log-likelihood of all that was decoded, the end-of-sequence token included.
        length: the number of tokens decoded, the end-of-sequence token included; an answer that is cut at the longest
            allowed has none.
    """

    tokens: np.ndarray
    log_prob: float
    length: int


def generate(
    graphdef: nnx.GraphDef[T5], params: Params, examples: TokenStore | Sequence[np.ndarray], **options: Any
) -> list[np.ndarray]:
    """Returns the tokens of the best answer, or of the first sample; the options are those of `generate_several`."""
    return [outputs[0].tokens for outputs in generate_several(graphdef, params, examples, **options)]


def generate_scored(
    graphdef: nnx.GraphDef[T5], params: Params, examples: TokenStore | Sequence[np.ndarray], **options: Any
) -> list[Generated]:
    """Returns the best answer, or the first sample; the options are those of `generate_several`."""
    return [outputs[0] for outputs in generate_several(graphdef, params, examples, **options)]


def generate_several(
    graphdef: nnx.GraphDef[T5],
    params: Params,
    examples: TokenStore | Sequence[np.ndarray],
    *,
    batch_size: int,
    max_length: int,
    generation: GenerationConfig = _GREEDY,
    first_number: int = 0,
    put: Put = jnp.asarray,
    task_id: int | None = None,
    label: str | None = None,
) -> list[list[Generated]]:
    """Decodes by length bucket.

    Args:
        graphdef: the model's structure (`t5mix.model.t5.split`).
        params: its parameters by path, wherever they lie.
        examples: a token store, or input token sequences.
        batch_size: rows of every batch, on all devices together.
        max_length: the most tokens to decode, the end-of-sequence token included, unless `generation` says.
        generation: how to decode; by default greedily.
        first_number: the number of the first example in the data, which samples depend on.
        put: brings [B, S] to the devices; the default leaves it to JAX.
        task_id: the task of all examples, for modules routed by task.
        label: what the progress display calls this; None shows nothing.

    Returns:
        What was decoded for each example, in the order of `examples`: beams from the best one on, samples as drawn.
    """
    inputs = _Inputs(examples)
    outputs: list[list[Generated]] = [[] for _ in inputs.lengths]
    config = generation.with_limit(max_length)
    unseeded = dataclasses.replace(config, seed=0)  # one compilation serves all seeds

    def decode(batch: LengthBatch) -> Decoded:
        tokens = put(pad([inputs[index] for index in batch.indices], batch.length, PAD))
        numbers = (batch.indices + first_number).astype(np.uint32)
        return _decode(graphdef, params, tokens, numbers, np.uint32(config.seed), unseeded, task_id)

    with progress(label, len(outputs)) as advance:
        for batch, decoded in _pipelined(decode, length_batches(inputs.lengths, batch_size)):
            for row, index in enumerate(batch.indices[: batch.examples]):
                outputs[index] = _sequences(decoded, row)
            advance(batch.examples)
    return outputs


def score_targets(
    graphdef: nnx.GraphDef[T5],
    params: Params,
    examples: TokenStore | Sequence[tuple[np.ndarray, np.ndarray]],
    *,
    batch_size: int,
    put: Put = jnp.asarray,
    task_id: int | None = None,
    label: str | None = None,
) -> TargetScores:
    """Computes the log-likelihood of every target given its input (teacher forcing, no dropout).

    The arguments are those of `generate_several`; examples are a token store, or pairs of inputs and targets.
    """
    if isinstance(examples, TokenStore):
        input_lengths, target_lengths = np.diff(examples.input_offsets), np.diff(examples.target_offsets)
        example = examples.example
    else:
        input_lengths, target_lengths = np.array([[len(end) for end in pair] for pair in examples]).reshape(-1, 2).T
        example = examples.__getitem__
    log_probs = np.zeros(len(examples), np.float32)

    def score(batch: LengthBatch) -> jax.Array:
        pairs = [example(int(index)) for index in batch.indices]
        longest = bucket(int(target_lengths[batch.indices].max()))
        inputs = put(pad([pair[0] for pair in pairs], batch.length, PAD))
        targets = put(pad([pair[1] for pair in pairs], longest, PAD))
        return _log_likelihood(graphdef, params, inputs, targets, task_id)

    with progress(label, len(examples)) as advance:
        for batch, scores in _pipelined(score, length_batches(input_lengths, batch_size)):
            log_probs[batch.indices[: batch.examples]] = scores[: batch.examples]
            advance(batch.examples)
    return TargetScores(log_probs, target_lengths.astype(np.int64))


def score_choices(
    graphdef: nnx.GraphDef[T5],
    params: Params,
    examples: TokenStore | Sequence[np.ndarray],
    choices: Sequence[Sequence[int]],
    *,
    batch_size: int,
    put: Put = jnp.asarray,
    task_id: int | None = None,
    label: str | None = None,
) -> np.ndarray:
    """Computes the log-likelihood of each of a few targets given each input (teacher forcing, no dropout).

    Args:
        graphdef: see `generate_several`, as for what is not said here.
        params: likewise.
        examples: a token store, or input token sequences.
        choices: the tokens of each target, the end-of-sequence token included.
        batch_size: inputs of every batch.
        put: likewise.
        task_id: likewise.
        label: likewise.

    Returns:
        float32 [N, choices], natural logarithms, in the order of `examples` and of `choices`.
    """
    inputs = _Inputs(examples)
    targets = pad([np.asarray(choice, np.int32) for choice in choices], max(map(len, choices)), PAD)
    log_probs = np.zeros((len(inputs.lengths), len(choices)), np.float32)

    def score(batch: LengthBatch) -> jax.Array:
        tokens = put(pad([inputs[index] for index in batch.indices], batch.length, PAD))
        return _log_likelihoods(graphdef, params, tokens, targets, task_id)

    with progress(label, len(log_probs)) as advance:
        for batch, scores in _pipelined(score, length_batches(inputs.lengths, batch_size)):
            log_probs[batch.indices[: batch.examples]] = scores[: batch.examples]
            advance(batch.examples)
    return log_probs


class _Inputs:
    """The inputs of a store or of a list, by index, with their lengths known beforehand."""

    def __init__(self, examples: TokenStore | Sequence[np.ndarray]) -> None:
        self._examples = examples
        if isinstance(examples, TokenStore):
            self.lengths = np.diff(examples.input_offsets)
        else:
            self.lengths = np.array([len(tokens) for tokens in examples], np.int64)

    def __getitem__(self, index: int) -> np.ndarray:
        if isinstance(self._examples, TokenStore):
            return self._examples.example(int(index))[0]
        return self._examples[int(index)]


# The compiled functions are shared by all evaluations of a run: one compilation for each shape.


@functools.partial(jax.jit, static_argnames=("graphdef", "config", "task_id"))
def _decode(
    graphdef: nnx.GraphDef[T5],
    params: Params,
    inputs: jax.Array,
    numbers: np.ndarray,
    seed: np.uint32,
    config: GenerationConfig,
    task_id: int | None,
) -> Decoded:
    """[B, S], and the rows' numbers [B] -> what is decoded, R sequences of each row."""
    task_ids = None if task_id is None else jnp.full(inputs.shape[:1], task_id, jnp.int32)
    model = merge_params(graphdef, params)
    options = {"task_ids": task_ids, "seed": seed, "row_numbers": numbers}
    decoded = decode_batch(model, inputs, config, eos_id=EOS, pad_id=PAD, **options)
    if config.num_beams == 1:
        return decoded
    found = decoded.scores > _NO_SEQUENCE
    return decoded._replace(scores=jnp.where(found, decoded.log_probs.sum(axis=-1), -jnp.inf))


@functools.partial(jax.jit, static_argnames=("graphdef", "task_id"))
def _log_likelihood(
    graphdef: nnx.GraphDef[T5], params: Params, inputs: jax.Array, targets: jax.Array, task_id: int | None
) -> jax.Array:
    """[B, S] and [B, T] -> [B], summed over the target's tokens."""
    return _likelihood_given(merge_params(graphdef, params), inputs, task_id)(targets)


@functools.partial(jax.jit, static_argnames=("graphdef", "task_id"))
def _log_likelihoods(
    graphdef: nnx.GraphDef[T5], params: Params, inputs: jax.Array, choices: jax.Array | np.ndarray, task_id: int | None
) -> jax.Array:
    """[B, S] and [C, T] -> [B, C], of every choice given every input."""
    likelihood = _likelihood_given(merge_params(graphdef, params), inputs, task_id)
    rows, (count, length) = inputs.shape[0], choices.shape
    together = min(count, max(1, _CHOICE_TOKENS // length))
    by_choice = jax.lax.map(
        lambda tokens: likelihood(jnp.broadcast_to(tokens, (rows, length))), jnp.asarray(choices), batch_size=together
    )
    return by_choice.T


def _likelihood_given(model: T5, inputs: jax.Array, task_id: int | None) -> Callable[[jax.Array], jax.Array]:
    """Encodes inputs [B, S] and returns what gives the log-likelihoods of targets: [B, T] -> [B]."""
    inputs, segments = model.with_prompt(inputs, PAD)
    encoder_tasks = None if task_id is None else jnp.full_like(inputs, task_id)
    encoded = model.encode(inputs, segments, task_ids=encoder_tasks)

    def likelihood(targets: jax.Array) -> jax.Array:
        real = targets != PAD
        hidden = model.decode(
            encoded,
            segments,
            jnp.pad(targets[:, :-1], ((0, 0), (1, 0)), constant_values=PAD),
            real.astype(jnp.int32),
            task_ids=None if task_id is None else jnp.full_like(targets, task_id),
            encoder_task_ids=encoder_tasks,
        )
        logits = model.logits(hidden)
        chosen = jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
        return jnp.where(real, chosen - jax.nn.logsumexp(logits, axis=-1), 0.0).sum(axis=1)

    return likelihood


def _pipelined(run: Callable[[LengthBatch], Any], batches: Iterable[LengthBatch]) -> Iterator[tuple[LengthBatch, Any]]:
    """Yields each batch with its result, an array or several, on this host; a few batches are kept on the device."""
    waiting: deque[tuple[LengthBatch, Any]] = deque()
    for batch in batches:
        waiting.append((batch, run(batch)))
        if len(waiting) == _IN_FLIGHT:
            done, result = waiting.popleft()
            yield done, jax.tree.map(_fetch, result)
    for done, result in waiting:
        yield done, jax.tree.map(_fetch, result)


def _fetch(array: jax.Array) -> np.ndarray:
    """Returns the whole array on this host, the rows of other hosts' devices included."""
    if array.is_fully_addressable:
        return np.asarray(array)
    from jax.experimental import multihost_utils

    fetched: Any = multihost_utils.process_allgather(array, tiled=True)
    return np.asarray(fetched)


def _sequences(decoded: Decoded, row: int) -> list[Generated]:
    """Returns what was decoded for a row; a beam search may have found less than it was asked for, but one."""
    scores, tokens = decoded.scores[row].tolist(), np.asarray(decoded.tokens[row])
    count = max(1, sum(score > -np.inf for score in scores)) if len(scores) > 1 else 1
    return [_until_end(tokens[place], scores[place]) for place in range(count)]


def _until_end(tokens: np.ndarray, log_prob: float) -> Generated:
    """Returns a decoded row up to the end of the sequence, without padding that the model may have emitted."""
    ends = np.flatnonzero(tokens == EOS)
    length = int(ends[0]) + 1 if len(ends) else len(tokens)
    kept = tokens[:length]
    return Generated(kept[(kept != PAD) & (kept != EOS)], log_prob, length)
