"""Writing a trained model for other frameworks: what `t5mix export` does."""

from pathlib import Path
from typing import Any

from t5mix.errors import T5MixError
from t5mix.files import atomic_folder, check_writable
from t5mix.interop.huggingface_writer import write_huggingface
from t5mix.model.t5 import abstract_model
from t5mix.runs.load import TrainedModel, load_model


def export_huggingface(
    path: Path, out: Path, *, dtype: str = "float32", base: Path | None = None, task: str | None = None
) -> None:
    """Writes a run's model as a folder of Transformers.

    Args:
        path: a run's folder, or a checkpoint's.
        out: a folder that does not exist yet; it appears once it is complete and checked.
        dtype: the type of the weights: float32, bfloat16 or float16.
        base: where the checkpoint's base lies now; None for where it lay.
        task: the task of a bank whose modules are merged into the model.

    Raises:
        T5MixError: there is no checkpoint, `out` exists, or what the policy added cannot be merged into a plain model.
    """
    if out.exists():
        raise T5MixError(f"{out} exists already. Name a folder that does not.")
    check_writable(out, "TO")
    model = load_model(path, base)
    params = plain_params(model, task)
    with atomic_folder(out, "config.json") as draft:
        write_huggingface(draft, model.config, params, model.vocabulary, dtype)


def plain_params(model: TrainedModel, task: str | None) -> dict[str, Any]:
    """Returns the parameters of the plain T5 that computes what a model does.

    Raises:
        T5MixError: what the policy added cannot be merged.
    """
    policy, params = model.single_task(task)
    plain = abstract_model(model.config)[1].keys()
    return params if params.keys() == plain else policy.merged(params)
