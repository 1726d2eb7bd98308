"""Configuration files: those of the package, and whether one of the user's own can be composed."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from t5mix.errors import T5MixError, UnknownNameError
from t5mix.yaml_files import is_yaml, packaged_yaml, read_yaml


def named_configs() -> list[str]:
    """Returns the names of the package's own experiments."""
    return list(packaged_yaml("t5mix.config", "experiments"))


def check_source(source: str) -> None:
    """Refuses what cannot be composed, so far as that can be seen without JAX and Hydra.

    Args:
        source: the name of a configuration of the package, or the path of a YAML file.

    Raises:
        T5MixError: there is no such configuration; the file, or one beside it that its defaults list names, is missing
            or not YAML.
    """
    if is_yaml(source):
        _check_file(Path(source))
    elif source not in named_configs():
        raise UnknownNameError("configuration", source, named_configs(), "A file of your own ends in .yaml.")


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise T5MixError(f"The configuration file {path} is missing.")
    content = read_yaml(path)
    if not isinstance(content, dict) or "defaults" not in content:
        raise T5MixError(f"{path} has no defaults list. Begin it with:\ndefaults:\n  - experiment\n  - _self_")
    hiding = path.parent / "experiment.yaml"
    if hiding.exists():
        raise T5MixError(f"{hiding} hides the package's own defaults of that name. Give the file another name.")
    _check_defaults(path, content, {path})


def _check_defaults(path: Path, content: Any, checked: set[Path]) -> None:
    """Reads the files that a defaults list names, and those that theirs name; Hydra reports the rest."""
    for name in _names(content):
        file = path.parent / f"{name}.yaml"
        if file.is_file() and file not in checked:
            checked.add(file)
            _check_defaults(file, read_yaml(file), checked)
        elif not file.is_file() and "/" not in name and name not in named_configs():
            known = {*named_configs(), *(other.stem for other in path.parent.glob("*.yaml"))} - {path.stem}
            hint = f"The defaults list of {path} names it, and {file} is missing."
            raise UnknownNameError("configuration", name, known, hint)


def _names(content: Any) -> Iterator[str]:
    """Yields the configurations of a defaults list, and the options of groups as `group/option`."""
    defaults = content.get("defaults") if isinstance(content, dict) else None
    for entry in defaults if isinstance(defaults, list) else ():
        if isinstance(entry, str) and re.fullmatch(r"[\w-]+", entry) and entry != "_self_":
            yield entry
        elif isinstance(entry, dict):
            yield from (f"{str(group).removeprefix('override ')}/{option}" for group, option in entry.items())
