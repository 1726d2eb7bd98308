"""Folders of Transformers in miniature, and changes to them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from t5mix.interop.foreign import T5_IDS
from t5mix.interop.huggingface_config import write_config
from t5mix.interop.huggingface_names import huggingface_names
from t5mix.model.config import T5Config
from t5mix.model.t5 import abstract_model

TINY = T5Config(
    vocab_size=20, d_model=8, d_ff=12, d_kv=3, num_heads=2, num_layers=2, num_decoder_layers=1, relative_buckets=8
)
"""T5 1.1 in shape: gated, untied, H * K != D, unequal depths."""


def tensors(config: T5Config = TINY, seed: int = 0) -> dict[str, np.ndarray]:
    """Random tensors by the names of Transformers."""
    draw, shapes = np.random.default_rng(seed), abstract_model(config)[1]
    made = {}
    for path, (name, transposed) in huggingface_names(config).items():
        values = draw.normal(size=shapes[path].shape).astype(np.float32)
        made[name] = np.ascontiguousarray(values.T) if transposed else values
    return made


def write_folder(
    folder: Path,
    config: T5Config = TINY,
    *,
    changed: Mapping[str, Any] | None = None,
    removed: tuple[str, ...] = (),
    weights: Mapping[str, np.ndarray] | None = None,
) -> Path:
    """Writes a folder.

    Args:
        folder: where.
        config: the model.
        changed: entries of config.json that differ from what t5mix writes.
        removed: entries of config.json that are left out.
        weights: the tensors; None for random ones.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = {**write_config(config, T5_IDS), **(changed or {})}
    (folder / "config.json").write_text(json.dumps({key: written[key] for key in written if key not in removed}))
    safetensors.numpy.save_file(dict(tensors(config) if weights is None else weights), folder / "model.safetensors")
    return folder
