"""Objectives for unlabelled text: span corruption and language modelling, as seqio preprocessors.

The draws are stateless: they are a function of the seed that the data set is built with, and of nothing
else. Raffel et al. 2020, section 3.1.4 and 3.3.4; lengths and layout as in T5's released code.
"""

# TensorFlow's stubs know less than TensorFlow.
# pyright: reportArgumentType=false, reportOperatorIssue=false, reportCallIssue=false
import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal

from t5mix.errors import T5MixError
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
    if not 0 < noise_density < 1 or mean_span_length < 1:
        raise T5MixError(
            f"Span corruption needs 0 < noise_density < 1 and mean_span_length >= 1, not {noise_density} and "
            f"{mean_span_length}."
        )
    return [
        functools.partial(corrupt_spans, field=field, noise_density=noise_density, mean_span_length=mean_span_length)
    ]


def span_counts(length: int, noise_density: float, mean_span_length: float) -> tuple[int, int]:
    """Returns (noise tokens, spans) for a chunk of `length` tokens; both at least 1, some tokens left over."""
    noise = min(max(round(length * noise_density), 1), length - 1)
    spans = min(max(round(noise / mean_span_length), 1), noise, length - noise)
    return noise, spans


def corrupted_lengths(length: int, noise_density: float, mean_span_length: float) -> tuple[int, int]:
    """Returns the lengths (inputs, targets) that `length` raw tokens give: a sentinel a span, and the end."""
    noise, spans = span_counts(length, noise_density, mean_span_length)
    return length - noise + spans + 1, noise + spans + 1


def raw_chunk_length(
    inputs_length: int,
    targets_length: int,
    noise_density: float = 0.15,
    mean_span_length: float = 3.0,
) -> int:
    """Returns the largest number of raw tokens whose inputs and targets both fit.

    512 inputs take 568 raw tokens, which give 114 targets (T5).

    Raises:
        T5MixError: the lengths leave no room for two tokens.
    """
    best = 0
    for length in range(2, inputs_length + targets_length + 1):  # no token is in both, so no chunk is longer
        inputs, targets = corrupted_lengths(length, noise_density, mean_span_length)
        if inputs > inputs_length or targets > targets_length:
            break
        best = length
    if not best:
        raise T5MixError(
            f"Span corruption needs at least 3 tokens in inputs and targets, not {inputs_length} and {targets_length}."
        )
    return best


def required_sentinels(
    sequence_length: Mapping[str, int], noise_density: float = 0.15, mean_span_length: float = 3.0
) -> int:
    """Returns the number of sentinels that the longest chunk needs."""
    length = raw_chunk_length(sequence_length["inputs"], sequence_length["targets"], noise_density, mean_span_length)
    return span_counts(length, noise_density, mean_span_length)[1]


def check_sentinels(task: seqio.Task, sequence_length: Mapping[str, int]) -> None:
    """Checks that the task's vocabulary has the sentinels that its span corruption needs.

    Raises:
        T5MixError: it has too few.
    """
    for step in task.preprocessors:
        if isinstance(step, functools.partial) and step.func is corrupt_spans:
            have = task.output_features["inputs"].vocabulary.extra_ids
            need = required_sentinels(
                sequence_length, step.keywords["noise_density"], step.keywords["mean_span_length"]
            )
            if need > have:
                raise T5MixError(
                    f"Task {task.name!r}: span corruption at {sequence_length['inputs']} inputs and "
                    f"{sequence_length['targets']} targets needs {need} sentinels, and the vocabulary has "
                    f"{have}. Set extra_ids to {need} or more (T5 has 100), or shorten the lengths."
                )


def corrupt_spans(
    dataset: tf.data.Dataset,
    sequence_length: Mapping[str, int],
    output_features: Mapping[str, Any],
    *,
    field: str = "text",
    noise_density: float = 0.15,
    mean_span_length: float = 3.0,
) -> tf.data.Dataset:
    """Replaces random spans by sentinels in the inputs; the targets hold the spans, each after its sentinel.

    A chunk of n tokens is cut into k unspoilt and k noise spans that alternate, an unspoilt one first, each
    division equally likely. The targets therefore end with a noise span and the end of the sequence; the last
    sentinel of the paper's figure 2 would stand for an unspoilt span that is not there.
    """
    vocabulary = output_features["inputs"].vocabulary
    length = raw_chunk_length(sequence_length["inputs"], sequence_length["targets"], noise_density, mean_span_length)

    @seqio.map_over_dataset(num_seeds=2)
    def corrupt(tokens: tf.Tensor, seeds: Any) -> dict[str, tf.Tensor]:
        noise = _noise_mask(tf.size(tokens), seeds, noise_density, mean_span_length)
        first_sentinel = vocabulary.vocab_size - 1
        return {
            "inputs": _with_end(_spans_to_sentinels(tokens, noise, first_sentinel), vocabulary),
            "targets": _with_end(_spans_to_sentinels(tokens, ~noise, first_sentinel), vocabulary),
        }

    return corrupt(_chunks(dataset, field, vocabulary, length))


def language_model(
    dataset: tf.data.Dataset,
    sequence_length: Mapping[str, int],
    output_features: Mapping[str, Any],
    *,
    field: str = "text",
) -> tf.data.Dataset:
    """Makes the text the targets and leaves the inputs empty but for the end of the sequence."""
    vocabulary = output_features["targets"].vocabulary
    length = sequence_length["targets"] - 1
    if length < 2:
        raise T5MixError(f"Language modelling needs at least 3 target tokens, not {length + 1}.")

    def example(tokens: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"inputs": _with_end(tokens[:0], vocabulary), "targets": _with_end(tokens, vocabulary)}

    return _chunks(dataset, field, vocabulary, length).map(example, num_parallel_calls=tf.data.AUTOTUNE)


def _chunks(dataset: tf.data.Dataset, field: str, vocabulary: seqio.Vocabulary, length: int) -> tf.data.Dataset:
    """Returns chunks of `length` tokens of all texts joined; a last one of a single token is left out."""
    if field not in dataset.element_spec:
        raise T5MixError(f"The examples have no field {field!r}; they have {', '.join(dataset.element_spec)}.")
    tokens = dataset.map(
        lambda example: tf.cast(vocabulary.encode_tf(example[field]), tf.int32),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    return tokens.rebatch(length).filter(lambda chunk: tf.size(chunk) > 1)


def _noise_mask(length: tf.Tensor, seeds: Any, noise_density: float, mean_span_length: float) -> tf.Tensor:
    """Returns a boolean mask [length], true on noise, that begins with an unspoilt span and ends with noise."""
    # The same arithmetic as `span_counts`, in double precision, so that rounding falls on the same side.
    size = tf.cast(length, tf.float64)
    noise = tf.clip_by_value(tf.round(size * noise_density), 1.0, size - 1.0)
    spans = tf.maximum(tf.round(noise / mean_span_length), 1.0)
    spans = tf.cast(tf.minimum(spans, tf.minimum(noise, size - noise)), tf.int32)
    noise = tf.cast(noise, tf.int32)
    kept_lengths = _random_division(length - noise, spans, seeds[0])
    noise_lengths = _random_division(noise, spans, seeds[1])
    alternating = tf.reshape(tf.stack([kept_lengths, noise_lengths], axis=1), [-1])
    return tf.repeat(tf.range(2 * spans) % 2 == 1, alternating)


def _random_division(total: tf.Tensor, parts: tf.Tensor, seed: Any) -> tf.Tensor:
    """Divides `total` into `parts` whole numbers of at least 1; all divisions are equally likely."""
    scores = tf.random.stateless_uniform([total - 1], seed)
    cuts = tf.sort(tf.math.top_k(scores, parts - 1, sorted=False).indices) + 1
    borders = tf.concat([[0], cuts, [total]], axis=0)
    return borders[1:] - borders[:-1]


def _spans_to_sentinels(tokens: tf.Tensor, mask: tf.Tensor, first_sentinel: int) -> tf.Tensor:
    """Replaces each run of true positions by one sentinel, the first by the highest id, then downwards."""
    starts = mask & ~tf.concat([[False], mask[:-1]], axis=0)
    sentinels = first_sentinel + 1 - tf.cumsum(tf.cast(starts, tf.int32))
    return tf.boolean_mask(tf.where(starts, sentinels, tokens), starts | ~mask)


def _with_end(tokens: tf.Tensor, vocabulary: seqio.Vocabulary) -> tf.Tensor:
    return tf.concat([tokens, [vocabulary.eos_id]], axis=0)
