"""The groups of a configuration, such as `mixing`, and the options that Hydra finds in them."""

import dataclasses
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore


def groups() -> dict[str, list[str]]:
    """Returns the options of each group: the kinds that are registered, and the presets of the model."""
    from t5mix.config.experiment import KIND_GROUPS  # loads JAX, which commands that compose nothing do without
    from t5mix.model.presets import AUTO, PRESETS

    return {**{group: sorted(registry) for group, registry in KIND_GROUPS.items()}, "model": [AUTO, *sorted(PRESETS)]}


def setting_keys() -> list[str]:
    """Returns the keys of all settings, of a group those of all its options; loads JAX."""
    from t5mix.config.experiment import KIND_GROUPS, Experiment

    keys = set()
    for name, type_ in typing.get_type_hints(Experiment).items():
        classes = list(KIND_GROUPS[name].values()) if name in KIND_GROUPS else [type_]
        owned = {key for cls in classes for key in _keys_of(cls)}
        keys |= {f"{name}.{key}" for key in owned}
        if not owned or name in groups():
            keys.add(name)
    return sorted(keys)


def _keys_of(cls: Any) -> Iterator[str]:
    """Yields the keys of a dataclass, in place of one that holds a dataclass those of the latter; nothing of others."""
    for field in dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ():
        inner = [f"{field.name}.{key}" for key in _keys_of(typing.get_type_hints(cls)[field.name])]
        yield from inner or [field.name]


def kind_key(group: str) -> str:
    """Returns the key under which a group holds the name of its option."""
    return "preset" if group == "model" else "kind"


def choose(group: str, option: str) -> dict[str, str]:
    """Returns what an option of a group composes to."""
    return {kind_key(group): option}


def store_options(options: Mapping[str, Sequence[str]], folder: Path | None) -> None:
    """Makes the options of groups known to Hydra, except those that a user's folder has a file of its own for."""
    store = ConfigStore.instance()
    for group, names in options.items():
        stored = store.repo.setdefault(group, {})
        for name in names:
            file = f"{name}.yaml"
            if folder is not None and (folder / group / file).is_file():
                stored.pop(file, None)  # Hydra would take it for the schema of the file
            elif file not in stored:
                store.store(name, choose(group, name), group)
