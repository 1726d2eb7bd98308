"""TensorFlow's counter-based random numbers in numpy, bit for bit: what is drawn does not depend on who draws it.

Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", section 3.3). All arrays are uint32.
"""

import numpy as np

_ROUNDS = 10
_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_KEY_STEPS = (np.uint32(0x9E3779B9), np.uint32(0xBB67AE85))
_SEED_KEY = np.array([0x3EC8F720, 0x02461E29], np.uint32)  # with which TensorFlow scrambles the seeds that it is given
_SEEDS = (1 << 31) - 1  # TensorFlow takes seeds modulo this
_WORD = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)


def philox(keys: np.ndarray, counters: np.ndarray) -> np.ndarray:
    """Returns the 4 random words [..., 4] of each counter [..., 4] under its key [..., 2]; shapes broadcast."""
    key = [keys[..., index] for index in range(2)]
    words = [counters[..., index].astype(np.uint64) for index in range(4)]
    with np.errstate(over="ignore"):  # all arithmetic is modulo 2^32
        for _ in range(_ROUNDS):
            first, second = words[0] * _MULTIPLIERS[0], words[2] * _MULTIPLIERS[1]
            words = [
                (second >> _WORD) ^ words[1] ^ key[0],
                second & _LOW,
                (first >> _WORD) ^ words[3] ^ key[1],
                first & _LOW,
            ]
            key = [part + step for part, step in zip(key, _KEY_STEPS, strict=True)]
    return np.stack(words, axis=-1).astype(np.uint32)


def random_words(seed: int, second_seed: int, first: int, count: int) -> np.ndarray:
    """Returns elements `first` to `first + count` of `tf.data.Dataset.random(second_seed)` under the global `seed`."""
    seeds = (seed % _SEEDS, second_seed % _SEEDS)
    if seeds == (0, 0):
        seeds = (0, _SEEDS)  # two zeros would ask TensorFlow for a seed that nobody knows
    blocks = np.arange(first // 4, (first + count + 3) // 4)
    counters = np.zeros((len(blocks), 4), np.uint32)
    counters[:, 0] = blocks
    counters[:, 2:] = _halves(np.array(seeds[1]))
    words = philox(_halves(np.array(seeds[0])), counters).reshape(-1)
    return words[first % 4 :][:count]


def stateless_uniform(seeds: np.ndarray, count: int) -> np.ndarray:
    """Returns float32 [N, count] in [0, 1): row i is `tf.random.stateless_uniform([count], seeds[i])`; seeds [N, 2]."""
    scrambled = philox(_SEED_KEY, _halves(seeds).reshape(len(seeds), 4))
    counters = np.zeros((len(seeds), -(-count // 4), 4), np.uint32)
    counters[..., 0] = np.arange(counters.shape[1])
    counters[..., 2:] = scrambled[:, None, 2:]
    words = philox(scrambled[:, None, :2], counters).reshape(len(seeds), -1)[:, :count]
    mantissas = (words & np.uint32(0x7FFFFF)) | np.uint32(127 << 23)  # a float between 1 and 2
    return mantissas.view(np.float32) - np.float32(1)


def _halves(numbers: np.ndarray) -> np.ndarray:
    """Returns the low and the high word [..., 2] of each 64-bit number."""
    whole = numbers.astype(np.int64).astype(np.uint64)
    return np.stack([whole & _LOW, whole >> _WORD], axis=-1).astype(np.uint32)
