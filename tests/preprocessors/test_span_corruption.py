import numpy as np
import pytest

from t5mix.errors import T5MixError
from t5mix.preprocessors.span_corruption import SpanCorruption, chunk_seeds

T5 = SpanCorruption()
SENTINELS = np.arange(1000, 900, -1)


def test_the_numbers_of_the_paper():
    lengths = {"inputs": 512, "targets": 114}
    assert T5.chunk_length(lengths) == T5.chunk_length({"inputs": 512, "targets": 512}) == 568
    assert T5.corrupted_lengths(568) == (512, 114)
    assert T5.corrupted_lengths(569)[0] == 513
    assert T5.span_counts(568) == (85, 28)
    T5.check_sentinels("text", lengths, 28)
    with pytest.raises(T5MixError, match=r"needs 28 sentinels, and the vocabulary has 27\. Set extra_ids to 28"):
        T5.check_sentinels("text", lengths, 27)


def test_short_targets_shorten_the_chunk():
    length = T5.chunk_length({"inputs": 512, "targets": 60})
    inputs, targets = T5.corrupted_lengths(length)
    assert targets == 60
    assert inputs < 512
    assert T5.corrupted_lengths(length + 1)[1] > 60
    with pytest.raises(T5MixError, match="at least 3 tokens"):
        T5.chunk_length({"inputs": 2, "targets": 512})


@pytest.mark.parametrize("options", [{"noise_density": 0.0}, {"noise_density": 1.0}, {"mean_span_length": 0.5}])
def test_impossible_shares_are_refused(options: dict[str, float]):
    with pytest.raises(T5MixError, match="Span corruption needs 0 < noise_density < 1"):
        SpanCorruption(**options)


def test_every_position_is_hidden_equally_often():
    """Away from the ends, a token is noise with the same probability; 4 standard errors, a fixed seed."""
    chunks, length = 4000, 72
    tokens = np.tile(np.arange(length, dtype=np.int32), (chunks, 1))
    inputs, targets = T5.corrupt(tokens, chunk_seeds(3, 0, chunks), SENTINELS)
    assert (inputs.shape, targets.shape) == tuple((chunks, size - 1) for size in T5.corrupted_lengths(length))
    hidden = np.bincount(targets[targets < length], minlength=length)
    kept = np.bincount(inputs[inputs < length], minlength=length)
    assert (hidden + kept == chunks).all()
    share = hidden / chunks
    assert (share[0], share[-1]) == (0, 1)
    assert share.mean() == pytest.approx(T5.span_counts(length)[0] / length)
    middle = share[15:-15]
    assert np.abs(middle - middle.mean()).max() < 4 * np.sqrt(0.15 * 0.85 / chunks)


def test_seeds_do_not_depend_on_how_many_are_asked_for():
    whole = chunk_seeds(7, 0, 20)
    assert len(np.unique(whole)) == whole.size
    assert np.array_equal(whole, np.concatenate([chunk_seeds(7, first, 5) for first in (0, 5, 10, 15)]))


def test_sentinels_may_have_any_ids():
    chunks, seeds = np.arange(72)[None], chunk_seeds(3, 0, 1)
    usual, inputs = T5.corrupt(chunks, seeds, SENTINELS)[0], T5.corrupt(chunks, seeds, np.arange(500, 600))[0]
    assert np.array_equal(np.where(usual > 900, 500 + 1000 - usual, usual), inputs)
