"""A run's folder: what it is, what it did, what came out."""

import contextlib
import dataclasses
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from t5mix.data.manifest import DataManifest, DataRequest, VocabularyEntry
from t5mix.errors import T5MixError
from t5mix.files import atomic_path, exclusive_lock, read_json, sha256_of, write_json
from t5mix.sources.moved_files import files_seen_from

VOCABULARY_FILE = "vocabulary.model"
"""The copy of the vocabulary that a run's folder holds."""

_FREE = (
    *("run_dir", "store_dir", "mesh", "distributed", "evaluation"),
    *("training.prefetch", "training.max_checkpoints_to_keep", "training.warn_epochs", "training.warn_examples"),
)
"""Settings that a run may be resumed with another value of: none of them touches a loss."""

_PLACES = re.compile(r"vocabulary|tasks\.[^.]+\.files\.[^.]+(\..+)?")
"""Where data lies, which may change too: whether they are the same is seen when they are prepared."""


class RunDirectory:
    """The files of one run.

    Args:
        path: the folder; it is made when something is written.

    Attributes:
        checkpoints: folder of the checkpoints.
        metrics: JSON Lines, one line for each logging step and evaluation.
        tensorboard: folder of the event files.
        predictions: folder of generated texts.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.metrics = path / "metrics.jsonl"
        self.tensorboard = path / "tensorboard"
        self.predictions = path / "predictions"

    def check(self, experiment: Mapping[str, Any]) -> None:
        """Checks that the folder is free, or this experiment's; writes nothing.

        Args:
            experiment: the resolved experiment, JSON-able.

        Raises:
            T5MixError: the folder holds something else; lists what differs from the experiment it holds.
        """
        if not (self.path / "experiment.json").exists():
            if self.path.exists() and not self.path.is_dir():
                raise T5MixError(f"{self.path} is a file, and run_dir must be a folder. Choose another run_dir.")
            entries = self.path.iterdir() if self.path.exists() else ()
            others = sorted(entry.name for entry in entries if not entry.name.startswith("."))
            if others:
                raise T5MixError(
                    f"{self.path} is not empty ({', '.join(others[:3])}) and holds no run of t5mix. "
                    "Choose another run_dir."
                )
            return
        differences = list(_differences(self.experiment(), experiment))
        if differences:
            raise T5MixError(
                f"{self.path} holds a run of another experiment:\n"
                + "\n".join(f"  {key}: {recorded!r} there, {given!r} here" for key, recorded, given in differences)
                + "\nChoose another run_dir, or give the settings it was started with to continue it."
            )

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """A context that one process at a time can be in: the one that trains. A folder that stays empty goes again.

        Raises:
            T5MixError: another process is in it.
        """
        lock, is_new = self.path / ".lock", not self.path.exists()
        self.path.mkdir(parents=True, exist_ok=True)
        with exclusive_lock(lock, f"The run {self.path} is already being trained"):
            try:
                yield
            finally:
                if is_new and list(self.path.iterdir()) == [lock]:
                    shutil.rmtree(self.path)

    def claim(self, experiment: Mapping[str, Any], versions: Mapping[str, str], manifest: DataManifest) -> None:
        """Makes the folder this experiment's, and records what it runs on and the exact data."""
        # The experiment first: a kill between the two leaves a folder that is known to be ours.
        origin = self._working_directory()  # a run may be continued from another folder, with the same names of files
        if origin is None or not origin.is_dir() or self.experiment().get("tasks") != experiment.get("tasks"):
            origin = Path.cwd()
        recorded = {"experiment": dict(experiment), "versions": dict(versions), "working_directory": str(origin)}
        write_json(self.path / "experiment.json", recorded)
        keep_vocabulary(manifest.vocabulary, self.path)
        manifest.save(self.path / "data_manifest.json")

    def experiment(self) -> dict[str, Any]:
        """Returns the resolved experiment that the folder holds.

        Raises:
            T5MixError: it holds none.
        """
        file = self.path / "experiment.json"
        if not file.exists():
            check_exists(self.path)
            raise T5MixError(f"{self.path} is no run of t5mix: it has no experiment.json.")
        return read_json(file)["experiment"]

    def manifest(self) -> DataManifest | None:
        """Returns the run's data manifest, or None before the data was first prepared."""
        file = self.path / "data_manifest.json"
        return DataManifest.load(file) if file.exists() else None

    def at_hand(self, request: DataRequest) -> DataRequest:
        """Returns a request of the run as it can be met here and now.

        The folder's own copy takes the place of a vocabulary that is gone, and relative names of files that are not in
        the working directory are looked for where the run was started.
        """
        copy, origin = self.path / VOCABULARY_FILE, self._working_directory()
        if request.vocabulary and not Path(request.vocabulary).expanduser().exists() and copy.exists():
            request = dataclasses.replace(request, vocabulary=str(copy.absolute()))
        if origin is None:
            return request
        declared = {
            name: {**task, "files": files_seen_from(task["files"], origin)} for name, task in request.declared.items()
        }
        return dataclasses.replace(request, declared=declared)

    def _working_directory(self) -> Path | None:
        """Returns the folder that relative names of files begin in; None where it is not known."""
        file = self.path / "experiment.json"
        recorded = read_json(file).get("working_directory") if file.exists() else None
        return None if recorded is None else Path(recorded)

    def save_result(self, result: Mapping[str, Any]) -> None:
        """Records what came out."""
        write_json(self.path / "result.json", dict(result))

    def result(self) -> dict[str, Any] | None:
        """Returns what came out, or None while the run is not finished."""
        file = self.path / "result.json"
        return read_json(file) if file.exists() else None


def keep_vocabulary(vocabulary: VocabularyEntry, folder: Path) -> None:
    """Copies the file of a vocabulary into a folder, which then can be moved, and used elsewhere."""
    copy = folder / VOCABULARY_FILE
    if Path(vocabulary.path).is_file() and not (copy.exists() and sha256_of(copy) == vocabulary.sha256):
        with atomic_path(copy) as draft:
            shutil.copyfile(vocabulary.path, draft)


def kept_vocabulary(vocabulary: VocabularyEntry, checkpoint: Path) -> VocabularyEntry:
    """Returns a vocabulary as it lies beside a checkpoint, or in its run's folder; else where it lay."""
    for folder in (checkpoint, checkpoint.parent.parent):
        copy = folder / VOCABULARY_FILE
        if vocabulary.path and copy.exists() and sha256_of(copy) == vocabulary.sha256:
            return dataclasses.replace(vocabulary, path=str(copy.absolute()))
    return vocabulary


def check_exists(path: Path) -> None:
    """Refuses the path of a run where there is no folder.

    Raises:
        T5MixError: there is none.
    """
    if not path.is_dir():
        raise T5MixError(f"{path} is no run of t5mix: there is no such folder.")


def find_checkpoint(path: Path) -> Path:
    """Returns the checkpoint that a path names: a run's latest, or the one itself.

    Raises:
        T5MixError: there is none.
    """
    if (path / "run_state").is_dir():
        return path
    if not has_checkpoint(path):
        check_exists(path)
        raise T5MixError(f"{path} holds no checkpoint: name a run's folder, or one of its checkpoints/STEP.")
    return path / "checkpoints" / str(_steps(path)[-1])


def has_checkpoint(path: Path) -> bool:
    """Says whether a run's folder holds a checkpoint to continue from."""
    return bool(_steps(path))


def _steps(path: Path) -> list[int]:
    folder = path / "checkpoints"
    return sorted(int(entry.name) for entry in folder.iterdir() if entry.name.isdigit()) if folder.is_dir() else []


def _differences(recorded: Any, given: Any, key: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yields (key, recorded value, given value) for each setting that differs and may not."""
    if key in _FREE or (recorded is not None and given is not None and _PLACES.fullmatch(key)):
        return
    if isinstance(recorded, Mapping) and isinstance(given, Mapping):
        for name in sorted(recorded.keys() | given.keys()):
            yield from _differences(recorded.get(name), given.get(name), f"{key}.{name}" if key else name)
    elif recorded != given:
        yield key, recorded, given
