import numpy as np
import pytest

from t5mix.preprocessors.philox import philox, random_words, stateless_uniform
from t5mix.tensorflow_setup import tf


def test_the_known_answers_of_the_paper():
    """Random123's test vectors for philox4x32-10."""
    ones = 0xFFFFFFFF
    pi = [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344], [0xA4093822, 0x299F31D0]
    for (counter, key), expected in (
        (([0] * 4, [0] * 2), [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        (([ones] * 4, [ones] * 2), [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (pi, [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]),
    ):
        assert philox(np.array(key, np.uint32), np.array(counter, np.uint32)).tolist() == expected


@pytest.mark.parametrize("count", [1, 4, 37])
def test_uniform_numbers_are_tensorflows(count: int):
    seeds = np.array([[1, 2], [12345, 2**32 - 7], [2**31 - 1, 0]])
    for seed, drawn in zip(seeds, stateless_uniform(seeds, count), strict=True):
        assert np.array_equal(drawn, tf.random.stateless_uniform([count], seed).numpy())


@pytest.mark.parametrize("seeds", [(9, 5), (0, 0), (0, 3), (2**31 - 1, 2**31 + 2)])
def test_streams_of_words_are_tensorflows(seeds: tuple[int, int]):
    tf.random.set_seed(seeds[0])
    stream = np.array(list(tf.data.Dataset.random(seeds[1]).take(23).as_numpy_iterator()))
    assert np.array_equal(random_words(*seeds, 0, 23), stream)
    assert np.array_equal(random_words(*seeds, 6, 11), stream[6:17])
