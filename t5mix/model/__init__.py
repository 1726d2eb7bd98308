"""The T5 model: configuration, presets, and the NNX modules."""

from t5mix.model.config import T5Config
from t5mix.model.presets import PRESETS
from t5mix.model.t5 import T5, abstract_model, count_params, init_params, merge_params, split_params

__all__ = [
    "PRESETS",
    "T5",
    "T5Config",
    "abstract_model",
    "count_params",
    "init_params",
    "merge_params",
    "split_params",
]
