"""Reading a sweep file, at one of its scales."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from t5mix.errors import T5MixError, UnknownNameError
from t5mix.sweep.command_line import check_reach, with_precedence
from t5mix.sweep.spec import Sweep, read_sweep


def load_sweep(
    path: Path,
    scale: str | None = None,
    changes: Mapping[str, Any] | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Sweep:
    """Reads a sweep file.

    Args:
        path: of a YAML file with the fields of `Sweep`, and optionally `scales`: by name, the fields that are others
            at that scale. There `settings` and `method_settings` are appended to the file's own, and `methods` and
            `hypotheses` may be lists of names, of those that remain; all else replaces it. `scale` names the one to
            take where none is asked for.
        scale: one of them; None for the file's own choice, or the file as it is.
        changes: fields that are others still, as in a scale; but `settings` win over the file's `method_settings` and
            `shared_runs`.
        tell: is given a line for each of those settings that some methods' runs will not have.

    Raises:
        T5MixError: the file is missing or no YAML, the scale is unknown, or a field is; a value is not allowed; a
            setting would reach no run of a method.
    """
    if not path.is_file():
        raise T5MixError(f"There is no sweep file {path}.")
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise T5MixError(f"{path} is no YAML: {error}") from error
    if not isinstance(raw, dict):
        raise T5MixError(f"{path} holds no sweep: it should be a mapping with name, config and methods.")
    scales, default = raw.pop("scales", None) or {}, raw.pop("scale", None)
    scale = scale or default
    if scale is not None:
        if scale not in scales:
            raise UnknownNameError("scale", scale, list(scales))
        raw = _changed(raw, scales[scale] or {})
    changes = dict(changes or {})
    settings = changes.pop("settings", ())
    raw = with_precedence(_changed(raw, changes), settings)
    if "config" in raw and raw["config"] is None:
        raise T5MixError(
            f"{path.name} is for tasks of your own{f' at the scale {scale!r}' if scale else ''}: name the file that "
            "declares them, config=FILE.yaml. docs/sweeps.md has an example."
        )
    sweep = read_sweep(raw, str(path))
    for line in check_reach(sweep, settings):
        tell(line)
    return sweep


def _changed(raw: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a sweep's fields, changed: settings are appended, a list of methods' or hypotheses' names picks them."""
    changed = {**raw, **changes}
    for key in ("settings", "method_settings"):
        changed[key] = [*(raw.get(key) or ()), *(changes.get(key) or ())]
    for key in ("methods", "hypotheses"):
        if isinstance(changes.get(key), list):
            entries = raw.get(key) or {}
            for name in changes[key]:
                if name not in entries:
                    raise UnknownNameError(key, str(name), entries)
            changed[key] = {name: entries[name] for name in changes[key]}
    return changed
