"""Writing a trained model for other frameworks: what `t5mix export` does."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from t5mix.checkpoint.integrity import verify
from t5mix.checkpoint.reader import base_of, open_params, read_run_state
from t5mix.checkpoint.safetensors_files import DTYPES
from t5mix.checkpoint.tensors import Tensor
from t5mix.errors import T5MixError
from t5mix.files import atomic_folder, check_writable
from t5mix.interop.huggingface_writer import write_huggingface
from t5mix.interop.peft_writer import write_peft
from t5mix.interop.t5x_writer import write_t5x
from t5mix.interop.vocabularies import SENTENCEPIECE_FILE
from t5mix.model.t5 import abstract_model
from t5mix.runs.load import CheckpointMetadata, load_model
from t5mix.tracking.run_directory import find_checkpoint, kept_vocabulary

ExportFormat = Literal["huggingface", "peft", "t5x"]
"""What a model can be written as."""


def export_model(
    path: Path,
    out: Path,
    format: ExportFormat = "huggingface",
    *,
    dtype: str = "float32",
    base: Path | None = None,
    task: str | None = None,
) -> None:
    """Writes the plain T5 that a run's model is, with its vocabulary; or for PEFT what was trained on top of one.

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
    path = find_checkpoint(path)
    metadata = CheckpointMetadata.read(path)
    vocabulary = kept_vocabulary(metadata.vocabulary, path)
    if format == "peft":
        policy, params = load_model(path, base).single_task(task)
        with atomic_folder(out, "adapter_config.json") as draft:
            write_peft(draft, policy, metadata.model, params, dtype=dtype, base_name=_imported_from(path))
        return
    tensors = _plain_tensors(path, metadata, base, task)
    if format == "huggingface":
        with atomic_folder(out, "config.json") as draft:
            write_huggingface(draft, metadata.model, tensors, vocabulary, dtype)
        return
    arrays = {name: tensor.read().astype(DTYPES[dtype][1]) for name, tensor in tensors.items()}
    step = int(path.name) if path.name.isdigit() else 0
    with atomic_folder(out, f"checkpoint_{step}") as draft:
        write_t5x(arrays, metadata.model, draft, step)
        if vocabulary.path:
            shutil.copyfile(vocabulary.path, draft / SENTENCEPIECE_FILE)


def _imported_from(path: Path) -> str | None:
    """Returns the folder that the base of a checkpoint was imported from; None if it was not, or is not there."""
    base = base_of(path)
    if base is None or not (base.path / "run_state").is_dir():
        return None
    return read_run_state(base.path).get("imported_from")


def _plain_tensors(
    path: Path, metadata: CheckpointMetadata, base: Path | None, task: str | None
) -> Mapping[str, Tensor]:
    """Returns the parameters of the plain T5 that computes what a model does; from the file, if they lie there.

    Raises:
        T5MixError: what the policy added cannot be merged.
    """
    own, plain = open_params(path), abstract_model(metadata.model)[1].keys()
    if own.keys() == plain and base is None and task is None:
        verify(path)
        return own
    policy, params = load_model(path, base).single_task(task)
    if params.keys() != plain:
        params = policy.merged(params)
    return {name: Tensor.of(leaf) for name, leaf in params.items()}
