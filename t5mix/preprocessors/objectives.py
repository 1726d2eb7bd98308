"""Objectives for unlabelled text: span corruption and language modelling, as seqio preprocessors.

The draws are a function of the seed that the data set is built with, and of nothing else.
"""

# TensorFlow's stubs know less than TensorFlow.
# pyright: reportArgumentType=false, reportOperatorIssue=false, reportCallIssue=false
import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from t5mix.data.tokenizer import byte_sentinels, sentinel_ids
from t5mix.errors import T5MixError
from t5mix.preprocessors.span_corruption import SpanCorruption
from t5mix.preprocessors.unlabelled_text import language_model_chunk_length
from t5mix.tensorflow_setup import seqio, tf

Objective = Literal["span_corruption", "lm"]
Preprocessor = Callable[..., tf.data.Dataset]


def unlabelled_text_preprocessors(
    objective: Objective = "span_corruption",
    *,
    field: str = "text",
    noise_density: float = 0.15,
    mean_span_length: float = 3.0,
) -> list[Preprocessor]:
    """Returns the preprocessors that turn raw `{field: text}` examples into inputs and targets.

    The tokens of all texts follow one another without a break, as in T5, and are cut into chunks that fill
    the sequence lengths; the last chunk is shorter. Chunks are the same in each epoch, only the spans that
    are corrupted differ.

    Args:
        objective: "span_corruption", or "lm", whose inputs are empty but for the end of the sequence.
        field: the field that holds the text.
        noise_density: share of the tokens that is corrupted.
        mean_span_length: mean number of tokens in a corrupted span.

    Raises:
        T5MixError: the objective is unknown, or a number lies outside its range.
    """
    if objective == "lm":
        return [functools.partial(language_model, field=field)]
    if objective != "span_corruption":
        raise T5MixError(f"Unknown objective {objective!r}; there are 'span_corruption' and 'lm'.")
    corruption = SpanCorruption(noise_density, mean_span_length)
    return [functools.partial(corrupt_spans, field=field, corruption=corruption)]


def check_sentinels(task: seqio.Task, lengths: Mapping[str, int]) -> None:
    """Checks that the task's vocabulary has the sentinels that its span corruption needs.

    Raises:
        T5MixError: it has too few.
    """
    for step in task.preprocessors:
        if isinstance(step, functools.partial) and step.func is corrupt_spans:
            sentinels = sentinels_of(task.output_features["inputs"].vocabulary)
            step.keywords["corruption"].check_sentinels(task.name, lengths, len(sentinels))


def corrupt_spans(
    dataset: tf.data.Dataset,
    sequence_length: Mapping[str, int],
    output_features: Mapping[str, Any],
    *,
    field: str = "text",
    corruption: SpanCorruption,
) -> tf.data.Dataset:
    """Replaces random spans by sentinels in the inputs and collects them in the targets; see `SpanCorruption`."""
    vocabulary = output_features["inputs"].vocabulary
    sentinels = sentinels_of(vocabulary)

    def corrupt_chunk(tokens: np.ndarray, seeds: np.ndarray) -> list[np.ndarray]:
        inputs, targets = corruption.corrupt(tokens[None], seeds[None], sentinels)
        return [np.append(rows[0], np.int32(vocabulary.eos_id)) for rows in (inputs, targets)]

    @seqio.map_over_dataset(num_seeds=2)
    def corrupt(tokens: tf.Tensor, seeds: Any) -> dict[str, tf.Tensor]:
        inputs, targets = tf.numpy_function(corrupt_chunk, [tokens, tf.stack(seeds)], [tf.int32, tf.int32])
        return {"inputs": tf.ensure_shape(inputs, [None]), "targets": tf.ensure_shape(targets, [None])}

    return corrupt(_chunks(dataset, field, vocabulary, corruption.chunk_length(sequence_length)))


def language_model(
    dataset: tf.data.Dataset,
    sequence_length: Mapping[str, int],
    output_features: Mapping[str, Any],
    *,
    field: str = "text",
) -> tf.data.Dataset:
    """Makes the text the targets and leaves the inputs empty but for the end of the sequence."""
    vocabulary = output_features["targets"].vocabulary

    def example(tokens: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"inputs": _with_end(tokens[:0], vocabulary), "targets": _with_end(tokens, vocabulary)}

    length = language_model_chunk_length(sequence_length)
    return _chunks(dataset, field, vocabulary, length).map(example, num_parallel_calls=tf.data.AUTOTUNE)


def sentinels_of(vocabulary: seqio.Vocabulary) -> np.ndarray:
    """Returns the ids of a vocabulary's sentinels; the first is the first to be used."""
    if isinstance(vocabulary, seqio.SentencePieceVocabulary):
        return sentinel_ids(vocabulary.tokenizer, vocabulary.extra_ids)
    return byte_sentinels(vocabulary.extra_ids)


def _chunks(dataset: tf.data.Dataset, field: str, vocabulary: seqio.Vocabulary, length: int) -> tf.data.Dataset:
    """Returns chunks of `length` tokens of all texts joined; a last one of a single token is left out."""
    if field not in dataset.element_spec:
        raise T5MixError(f"The examples have no field {field!r}; they have {', '.join(dataset.element_spec)}.")
    tokens = dataset.map(
        lambda example: tf.cast(vocabulary.encode_tf(example[field]), tf.int32),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    return tokens.rebatch(length).filter(lambda chunk: tf.size(chunk) > 1)


def _with_end(tokens: tf.Tensor, vocabulary: seqio.Vocabulary) -> tf.Tensor:
    return tf.concat([tokens, [vocabulary.eos_id]], axis=0)
