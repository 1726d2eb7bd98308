"""The T5 model: configuration, presets, the NNX modules, and greedy decoding."""

from t5mix.model.config import T5Config
from t5mix.model.decoding import Decoded, greedy_decode
from t5mix.model.presets import PRESETS
from t5mix.model.t5 import T5, abstract_model, count_params, init_params, merge_params, split_params

__all__ = [
    "PRESETS",
    "T5",
    "Decoded",
    "T5Config",
    "abstract_model",
    "count_params",
    "greedy_decode",
    "init_params",
    "merge_params",
    "split_params",
]
