"""Folders as Transformers saves them: T5 1.0 and 1.1, and the families that share their architecture."""

from pathlib import Path

from t5mix.checkpoint.tensors import Tensor, same_values
from t5mix.errors import T5MixError
from t5mix.files import read_json_object
from t5mix.interop.foreign import ForeignCheckpoint, check_complete
from t5mix.interop.huggingface_config import TensorEvidence, read_config, read_special_ids
from t5mix.interop.huggingface_names import BIAS, EMBEDDING, EMBEDDING_ALIASES, HEAD, UNUSED, huggingface_names
from t5mix.interop.tensor_files import open_tensors


def is_huggingface(folder: Path) -> bool:
    """Returns whether a folder looks like one of Transformers."""
    return (folder / "config.json").is_file()


def read_huggingface(folder: Path) -> ForeignCheckpoint:
    """Returns the model in a folder of Transformers; reads no more of it than tells what it is.

    Raises:
        T5MixError: another architecture, tensors that are missing, left over or of other shapes, or a config that
            contradicts them.
    """
    config = read_json_object(folder / "config.json")
    tensors = _with_one_embedding(folder, open_tensors(folder))
    tensors.pop(UNUSED, None)
    try:
        shape = read_config(config, _evidence(tensors))
        ids = read_special_ids(config)
    except T5MixError as error:
        raise T5MixError(f"{folder}: {error}") from error
    if shape.tie_embeddings:
        tensors.pop(HEAD, None)
    paths = {name: (path, transposed) for path, (name, transposed) in huggingface_names(shape).items()}
    renamed = {}
    for name, tensor in tensors.items():
        path, transposed = paths.get(name, (name, False))  # what has no place is told by its own name
        renamed[path] = tensor.T if transposed else tensor
    checkpoint = ForeignCheckpoint(folder, "Transformers", shape, renamed, ids)
    check_complete(checkpoint)
    return checkpoint


def _with_one_embedding(folder: Path, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Returns the tensors with the embedding under its one name, if all copies of it are the same."""
    copies = [name for name in (EMBEDDING, *EMBEDDING_ALIASES) if name in tensors]
    for name in copies[1:]:
        if not same_values(tensors[copies[0]], tensors[name]):
            raise T5MixError(
                f"{folder}: {copies[0]} and {name} differ; a T5 model has one embedding for both of its stacks."
            )
    kept = {name: tensor for name, tensor in tensors.items() if name not in copies}
    return {EMBEDDING: tensors[copies[0]], **kept} if copies else kept


def _evidence(tensors: dict[str, Tensor]) -> TensorEvidence:
    head, embedding = tensors.get(HEAD), tensors.get(EMBEDDING)
    biases = {name.split(".")[2] for name in tensors if name.endswith(BIAS)}
    return TensorEvidence(
        gated=any(name.endswith("wi_0.weight") for name in tensors),
        own_head=head is not None and (embedding is None or not same_values(head, embedding)),
        head=head is not None,
        bias_in_each_block=biases > {"0"},
    )
