"""Settings on top of an experiment that a run's folder records."""

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from t5mix.config.composer import text_keys
from t5mix.config.experiment import Experiment
from t5mix.config.override_text import parse, plain_override
from t5mix.errors import T5MixError, UnknownNameError

DATA_KEYS = ("tasks", "vocabulary", "plugins", "store_dir", "evaluation")
"""The keys that say what a trained model is given, and not what it is."""


def with_settings(
    recorded: Mapping[str, Any], settings: Sequence[str], keys: Sequence[str] | None = None
) -> dict[str, Any]:
    """Returns a recorded experiment with some settings changed.

    Args:
        recorded: plain data, as `Experiment.to_json` gives them.
        settings: `key=value`, as on the command line of `t5mix train`.
        keys: the keys of the root that may change; None for all.

    Raises:
        T5MixError: a setting cannot be parsed, takes something out, is of another key, or of a task that the
            experiment does not declare.
    """
    changed = copy.deepcopy(dict(recorded))
    known = [field.name for field in dataclasses.fields(Experiment)]  # type: ignore[arg-type]
    for setting in settings:
        override = parse(plain_override(setting, text_keys()))
        path = override.key_or_group.split(".")
        if path[0] not in known:
            raise UnknownNameError("configuration key", path[0], known)
        if keys is not None and path[0] not in keys:
            raise T5MixError(
                f"{setting!r}: {path[0]} was settled when the run was trained. What can be set here are "
                f"{', '.join(keys)}, such as tasks.NAME.files.SPLIT=FILE."
            )
        if override.is_delete():
            raise T5MixError(f"{setting!r} takes a setting out, and a run needs all of its own. Give it another value.")
        if path[0] == "tasks" and len(path) > 1 and path[1] not in changed.get("tasks", {}):
            hint = "Files belong to tasks that the run's configuration declares."
            raise UnknownNameError("declared task", path[1], changed.get("tasks", {}), hint)
        _set(changed, path, override.value(), setting)
    return changed


def _set(values: dict[str, Any], path: Sequence[str], value: Any, setting: str) -> None:
    for name in path[:-1]:
        values = values.setdefault(name, {})
        if not isinstance(values, dict):
            raise T5MixError(f"{setting!r}: {name} has no settings of its own.")
    values[path[-1]] = value
