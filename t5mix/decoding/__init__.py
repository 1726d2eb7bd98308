"""Decoding with cached keys and values: greedy, samples, beams, and what changes the scores of the next token."""

from t5mix.decoding.config import GenerationConfig
from t5mix.decoding.decode import decode
from t5mix.decoding.decoded import Decoded
from t5mix.decoding.prefix_tree import PrefixTree

__all__ = ["Decoded", "GenerationConfig", "PrefixTree", "decode"]
