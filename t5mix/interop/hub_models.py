"""Models of the Hugging Face hub: a name like google/flan-t5-small in the place of a folder."""

import contextlib
import fnmatch
import re
from pathlib import Path

from t5mix.errors import T5MixError

_OURS = ("runs", "sweeps")  # folders that are not there yet; whoever mistypes a run is told so at once
_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_FILES = ("*.json", "spiece.model", "sentencepiece.model", "tokenizer.model")
_WEIGHTS = ("model*.safetensors", "pytorch_model*.bin")
"""The better kind first; where it is there, the other is not loaded."""


def find_folder(name: Path) -> Path:
    """Returns the folder of a model: the one that is named, or of a model of the hub in the user's cache.

    A model of the hub is loaded into the cache if need be. OWNER/NAME is taken for one unless there is a folder OWNER.

    Raises:
        T5MixError: it seems to be a model of the hub and cannot be had: `huggingface-hub` is not installed, there is no
            such model, or no network.
    """
    folder = name.expanduser()
    owner = name.parent
    is_local = folder.exists() or owner.exists() or owner.name in _OURS or not _NAME.fullmatch(str(name))
    return folder if is_local else _hub_folder(str(name))


def _hub_folder(name: str) -> Path:
    try:
        from huggingface_hub import list_repo_files, snapshot_download
        from huggingface_hub.errors import LocalEntryNotFoundError
    except ImportError as error:
        raise T5MixError(
            f"There is no folder {name} (working directory: {Path.cwd()}). If it names a model of the Hugging Face "
            "hub, install what loads it: pip install 't5mix[hf]'."
        ) from error
    with contextlib.suppress(LocalEntryNotFoundError):
        folder = Path(snapshot_download(name, local_files_only=True))
        if any(any(folder.glob(pattern)) for pattern in _WEIGHTS):
            return folder
    try:
        files = list_repo_files(name)
        weights = next((pattern for pattern in _WEIGHTS if fnmatch.filter(files, pattern)), None)
        if weights is not None:
            return Path(snapshot_download(name, allow_patterns=[*_FILES, weights]))
    except Exception as error:  # of the network, of the hub, of its cache: many classes
        raise T5MixError(
            f"{name} is no folder here (working directory: {Path.cwd()}), and cannot be had from the Hugging Face hub: "
            f"{_first_line(error)} Without a network, copy the model's folder to this machine, and name that."
        ) from error
    raise T5MixError(f"{name} on the Hugging Face hub holds neither {_WEIGHTS[0]} nor {_WEIGHTS[1]}.")


def _first_line(error: Exception) -> str:
    line = str(error).strip().splitlines()[0].strip() if str(error).strip() else type(error).__name__
    return line if line.endswith(".") else f"{line}."
