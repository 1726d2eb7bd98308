"""Writing a trained model for other frameworks: what `t5mix export` does."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from t5mix.errors import T5MixError
from t5mix.files import atomic_folder, check_writable
from t5mix.interop.huggingface_writer import write_huggingface
from t5mix.interop.safetensors_writer import DTYPES
from t5mix.interop.t5x_writer import write_t5x
from t5mix.interop.vocabularies import SENTENCEPIECE_FILE
from t5mix.model.t5 import abstract_model
from t5mix.runs.load import TrainedModel, load_model

Format = Literal["huggingface", "t5x"]
"""What a model can be written as."""


def export_model(
    path: Path,
    out: Path,
    format: Format = "huggingface",
    *,
    dtype: str = "float32",
    base: Path | None = None,
    task: str | None = None,
) -> None:
    """Writes the plain T5 that a run's model is, with its vocabulary.

    Args:
        path: a run's folder, or a checkpoint's.
        out: a folder that does not exist yet; it appears once it is complete.
        format: whose files are written.
        dtype: the type of the weights: float32, bfloat16 or float16.
        base: where the checkpoint's base lies now; None for where it lay.
        task: the task of a bank whose modules are merged into the model.

    Raises:
        T5MixError: there is no checkpoint, `out` exists, the format has no such model, or what the policy added cannot
            be merged into a plain model.
    """
    if out.exists():
        raise T5MixError(f"{out} exists already. Name a folder that does not.")
    check_writable(out, "TO")
    model = load_model(path, base)
    params = _plain_params(model, task)
    if format == "huggingface":
        with atomic_folder(out, "config.json") as draft:
            write_huggingface(draft, model.config, params, model.vocabulary, dtype)
        return
    arrays = {name: np.asarray(leaf).astype(DTYPES[dtype][1]) for name, leaf in params.items()}
    step = int(model.path.name) if model.path.name.isdigit() else 0
    with atomic_folder(out, f"checkpoint_{step}") as draft:
        write_t5x(arrays, model.config, draft, step)
        if model.vocabulary.path:
            shutil.copyfile(model.vocabulary.path, draft / SENTENCEPIECE_FILE)


def _plain_params(model: TrainedModel, task: str | None) -> Mapping[str, Any]:
    """Returns the parameters of the plain T5 that computes what a model does.

    Raises:
        T5MixError: what the policy added cannot be merged.
    """
    policy, params = model.single_task(task)
    plain = abstract_model(model.config)[1].keys()
    return params if params.keys() == plain else policy.merged(params)
