import numpy as np
import pytest

from t5mix.errors import T5MixError
from t5mix.preprocessors.objectives import check_sentinels, unlabelled_text_preprocessors
from t5mix.preprocessors.span_corruption import SpanCorruption
from t5mix.tensorflow_setup import seqio, tf

LENGTHS = {"inputs": 64, "targets": 32}
VOCABULARY = seqio.ByteVocabulary(extra_ids=20)
FIRST_SENTINEL = VOCABULARY.vocab_size - 1
TEXTS = [f"Document {number} tells of nothing but itself, at some length." for number in range(40)]
RAW = np.concatenate([VOCABULARY.encode(text) for text in TEXTS])


def task(objective="span_corruption", **options) -> seqio.Task:
    source = seqio.FunctionDataSource(
        lambda split, shuffle_files: tf.data.Dataset.from_tensor_slices({"text": TEXTS}), splits=["train"]
    )
    feature = seqio.Feature(VOCABULARY)
    return seqio.Task(
        "text",
        source,
        {"inputs": feature, "targets": feature},
        preprocessors=unlabelled_text_preprocessors(objective, **options),
    )


def made(seed: int, objective="span_corruption", lengths=LENGTHS, **options) -> list[tuple[np.ndarray, np.ndarray]]:
    chosen = task(objective, **options)
    raw = chosen.source.get_dataset("train", shuffle=False)
    dataset = chosen.preprocess_postcache(raw, sequence_length=lengths, seed=seed)
    return [(row["inputs"], row["targets"]) for row in dataset.as_numpy_iterator()]


def joined(inputs: np.ndarray, targets: np.ndarray) -> list[int]:
    """Puts the spans of the targets back in place of the sentinels of the inputs."""
    spans: dict[int, list[int]] = {}
    current: list[int] = []
    for token in targets[:-1].tolist():
        if token > FIRST_SENTINEL - 20:
            current = spans.setdefault(token, [])
        else:
            current.append(token)
    result: list[int] = []
    for token in inputs[:-1].tolist():
        result += spans.pop(token) if token in spans else [token]
    assert not spans
    return result


def test_inputs_and_targets_hold_the_whole_text_and_fill_the_lengths():
    pairs = made(seed=0)
    noise, spans = SpanCorruption().span_counts(SpanCorruption().chunk_length(LENGTHS))
    assert np.array_equal(np.concatenate([joined(*pair) for pair in pairs]), RAW)
    for inputs, targets in pairs[:-1]:
        sentinels = list(range(FIRST_SENTINEL, FIRST_SENTINEL - spans, -1))
        assert inputs[inputs > FIRST_SENTINEL - 20].tolist() == sentinels
        assert targets[targets > FIRST_SENTINEL - 20].tolist() == sentinels
        assert len(inputs) == 64
        assert len(targets) == noise + spans + 1
        assert inputs.dtype == targets.dtype == np.int32
        assert inputs[-1] == targets[-1] == 1
        assert inputs[0] < FIRST_SENTINEL - 20  # an unspoilt span comes first, a noise span last
        assert inputs[-2] == sentinels[-1]
    assert len(pairs[-1][0]) < 64  # what was left over


def test_draws_follow_the_seed():
    first, again, other = (made(seed) for seed in (5, 5, 6))
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(first, again, strict=True))
    assert len(first) == len(other)
    differing = sum(not np.array_equal(a[0], b[0]) for a, b in zip(first, other, strict=True))
    assert differing >= len(first) - 1


def test_language_modelling_has_empty_inputs():
    pairs = made(0, "lm")
    assert all(inputs.tolist() == [1] for inputs, _ in pairs)
    assert np.array_equal(np.concatenate([targets[:-1] for _, targets in pairs]), RAW)
    assert {len(targets) for _, targets in pairs[:-1]} == {32}
    assert all(targets[-1] == 1 for _, targets in pairs)


def test_too_few_sentinels_and_wrong_options_are_refused():
    lengths = {"inputs": 512, "targets": 114}
    with pytest.raises(T5MixError, match=r"needs 28 sentinels, and the vocabulary has 20\. Set extra_ids to 28"):
        check_sentinels(task(), lengths)
    check_sentinels(task(), LENGTHS)
    check_sentinels(task("lm"), lengths)
    with pytest.raises(T5MixError, match="Unknown objective 'bert'"):
        task("bert")
    with pytest.raises(T5MixError, match="noise_density"):
        task(noise_density=0.0)
    with pytest.raises(T5MixError, match="no field 'body'; they have text"):
        made(0, field="body")
