"""What a configuration file tells by itself, before JAX is loaded to compose and to validate it.

Mistakes in declared tasks, in names and in the vocabulary are found within moments, and TensorFlow can begin to load.
"""

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from t5mix.data.manifest import DataRequest, needs_tensorflow
from t5mix.errors import T5MixError
from t5mix.yaml_files import is_yaml, read_yaml

_DATA_KEY = re.compile(r"[+~]*(tasks|vocabulary|extra_ids|plugins)\b")


@dataclass(frozen=True)
class FileAhead:
    """The settings of a configuration file that say what data is asked for.

    Attributes:
        settings: the file's; empty for the package's own configurations, which declare no tasks, and for a file that
            cannot be read, which is said in due course.
        overrides: those of the command line.
    """

    settings: dict[str, Any]
    overrides: tuple[str, ...]

    @classmethod
    def read(cls, config: str, overrides: Sequence[str]) -> "FileAhead":
        """Reads a file, if `config` names one."""
        content: Any = None
        if is_yaml(config):
            with contextlib.suppress(T5MixError, OSError):
                content = read_yaml(Path(config))
        return cls(content if isinstance(content, dict) else {}, tuple(overrides))

    @property
    def mixture(self) -> tuple[str, ...]:
        """The names that are asked for."""
        named = self._setting("mixture") or ()
        names = re.findall(r"[^\s,\[\]'\"]+", named) if isinstance(named, str) else named
        return tuple(map(str, names)) if isinstance(names, list | tuple) else ()

    @property
    def declared(self) -> dict[str, Any]:
        """The tasks that the file declares."""
        declared = self.settings.get("tasks")
        return {str(name): task for name, task in declared.items()} if isinstance(declared, dict) else {}

    @property
    def needs_tensorflow(self) -> bool:
        """Whether a task is likely to be registered with seqio. A wrong guess costs time and nothing else."""
        # Tasks that the file does not name are the package's own, or those of another file.
        return not self.mixture or needs_tensorflow(self.mixture, self.declared)

    def check(self) -> None:
        """Checks names, declared tasks and the vocabulary, as far as the file alone decides about them.

        A run that is continued has its data already, and its files may be gone.

        Raises:
            T5MixError: see `check_request`; or a name is neither declared nor registered.
        """
        if any(_DATA_KEY.match(override) for override in self.overrides) or not self._is_whole or self._is_prepared:
            return
        from t5mix.cache.request_checks import check_known, check_request

        request = self._request()
        if request.declared and request.vocabulary:
            check_request(request)
        else:
            check_known(request)

    def _setting(self, key: str) -> Any:
        given = [override.partition("=")[2] for override in self.overrides if override.startswith(f"{key}=")]
        return given[-1] if given else self.settings.get(key)

    @property
    def _is_prepared(self) -> bool:
        run_dir = self._setting("run_dir")
        return isinstance(run_dir, str) and (Path(run_dir) / "data_manifest.json").exists()

    @property
    def _is_whole(self) -> bool:
        """Whether the file has all of these settings itself, as they will be."""
        told = [self.settings.get(key) for key in ("tasks", "vocabulary", "extra_ids", "plugins")]
        kinds = (dict, str, int, list)
        defaults = self.settings.get("defaults") or []
        return (
            all(value is None or isinstance(value, kind) for value, kind in zip(told, kinds, strict=True))
            and all(isinstance(task, dict) for task in self.declared.values())
            and isinstance(defaults, list)
            and all(entry in ("experiment", "_self_") for entry in defaults if isinstance(entry, str))
            and "${" not in str(told)
        )

    def _request(self) -> DataRequest:
        return DataRequest(
            mixture=self.mixture,
            inputs_length=0,
            targets_length=0,
            seed=0,
            store_dir="",
            plugins=tuple(map(str, self.settings.get("plugins") or ())),
            declared=self.declared,
            vocabulary=self.settings.get("vocabulary"),
            extra_ids=self.settings.get("extra_ids", 100),
        )
