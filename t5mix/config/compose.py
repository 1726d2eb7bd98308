"""Composing an experiment from a configuration file, groups and overrides, with Hydra's compose API."""

import copy
import dataclasses
import functools
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir, initialize_config_module
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from t5mix.config.composition_errors import explain
from t5mix.config.override_text import parse, plain_override, quoted
from t5mix.errors import T5MixError, UnknownNameError
from t5mix.yaml_files import is_yaml, packaged_yaml, read_yaml

_MODULE = "t5mix.config.experiments"

Tell = Callable[[str], None]


def compose_experiment(
    source: str = "experiment", overrides: Sequence[str] = (), tell: Tell | None = None
) -> dict[str, Any]:
    """Composes plain configuration data; `t5mix.config.reading.read_experiment` validates it.

    Args:
        source: the name of a configuration of the package (`demo`), or the path of a YAML file of yours, whose
            `defaults` list begins with `experiment`.
        overrides: `key=value`, `group=option`, in Hydra's grammar. Keys need no `+`: validation knows which exist.
            Another option of a group than the configuration's takes the place of it and of its settings.
        tell: is given a line for each option that took settings away.

    Raises:
        T5MixError: the file is missing or not YAML, an override cannot be parsed, a group has no such option.
    """
    return Composer(source, tell).compose(overrides)


class Composer:
    """Composes one configuration with different overrides, as a sweep's runs have them; see `compose_experiment`.

    Hydra takes a fifth of a second, so it composes the configuration once; overrides are then set as it would set them.
    """

    def __init__(self, source: str = "experiment", tell: Tell | None = None) -> None:
        self._source = source
        _check_source(source)  # before JAX is loaded for the options of groups
        self._options = groups()
        self._composed: dict[tuple[str, ...], DictConfig] = {}
        self._tell = tell or (lambda line: None)
        self._told: set[str] = set()

    def compose(self, overrides: Sequence[str] = ()) -> dict[str, Any]:
        """Returns plain configuration data.

        Raises:
            T5MixError: an override cannot be parsed, a group has no such option, the configuration has no such value.
        """
        arguments = [_accept_new_keys(override, self._options) for override in overrides]
        parsed = [parse(argument) for argument in arguments]
        try:
            if any(self._needs_hydra(override) for override in parsed):
                return _plain(self._ask_hydra(tuple(arguments)))
            config, replaced = copy.deepcopy(self._ask_hydra(())), set()
            for override in parsed:  # options first: their settings may stand before them
                if kind := self._chosen(override):
                    replaced |= self._replace(config, override.key_or_group, *kind)
            for override in parsed:
                key = override.key_or_group
                if override.is_delete():
                    _take_out(config, key, missing_ok=key in replaced)
                elif kind := self._chosen(override):
                    OmegaConf.update(config, key, _without(override.value(), kind[0]), force_add=True)
                else:
                    OmegaConf.update(config, key, override.value(), force_add=True)
            return _plain(config)
        except (HydraException, OmegaConfBaseException, YAMLError) as error:
            raise T5MixError(explain(error, read_yaml(Path(self._source)) if self._from_file else None)) from error

    def _needs_hydra(self, override: Override) -> bool:
        """Says whether an override means what only Hydra knows, such as a file that holds an option."""
        group, option = override.key_or_group, override.value()
        own_file = self._from_file and group in self._options and (self._folder / group / f"{option}.yaml").is_file()
        return (
            own_file
            or override.package is not None
            or override.is_add()
            or (override.is_delete() and override.value() is not None)
        )

    def _chosen(self, override: Override) -> tuple[str, str] | None:
        """Returns the key and the name of the option that an override chooses for a group; None if it chooses none."""
        group, value = override.key_or_group, override.value()
        if group not in self._options or override.is_delete():
            return None
        key = _kind_key(group)
        option = value.get(key) if isinstance(value, dict) else value
        return (key, option) if isinstance(option, str) else None

    def _replace(self, config: DictConfig, group: str, key: str, option: str) -> set[str]:
        """Makes another option that of a group; returns the keys of the settings that went with the old one."""
        old = OmegaConf.to_container(config[group]) if OmegaConf.is_dict(config.get(group)) else {}
        assert isinstance(old, dict)
        if old.get(key) in (None, option):
            OmegaConf.update(config, f"{group}.{key}", option, force_add=True)
            return set()
        config[group] = {key: option}
        settings = {name: value for name, value in old.items() if name != key}
        written = ", ".join(f"{name}={value}" for name, value in settings.items())
        line = f"{group}={option} takes the place of {old[key]} and its settings: {written}."
        if settings and line not in self._told:
            self._told.add(line)
            self._tell(line)
        return {f"{group}.{name}" for name in settings}

    @property
    def _from_file(self) -> bool:
        return is_yaml(self._source)

    @property
    def _folder(self) -> Path:
        return Path(self._source).parent

    def _ask_hydra(self, arguments: tuple[str, ...]) -> DictConfig:
        if arguments not in self._composed:
            self._composed[arguments] = self._hydra(arguments)
        return self._composed[arguments]

    def _hydra(self, arguments: tuple[str, ...]) -> DictConfig:
        if self._from_file:
            path = Path(self._source)
            _store(self._options, self._folder)
            searching = f"hydra.searchpath=[pkg://{_MODULE}]"
            with initialize_config_dir(str(self._folder.absolute()), version_base="1.3", job_name="t5mix"):
                return compose(path.stem, overrides=[searching, *arguments])
        _store(self._options, None)
        with initialize_config_module(_MODULE, version_base="1.3", job_name="t5mix"):
            return compose(self._source, overrides=list(arguments))


def _plain(config: DictConfig) -> dict[str, Any]:
    return OmegaConf.to_container(config, resolve=True, throw_on_missing=True)  # type: ignore[return-value]


def _without(value: Any, key: str) -> dict[str, Any]:
    """Returns the settings that an option is chosen with, if it is, without its name."""
    return {name: setting for name, setting in value.items() if name != key} if isinstance(value, dict) else {}


def _take_out(config: DictConfig, key: str, *, missing_ok: bool) -> None:
    parent, _, name = key.rpartition(".")
    owner = OmegaConf.select(config, parent) if parent else config
    if OmegaConf.is_dict(owner) and name in owner:
        with open_dict(owner):
            del owner[name]
    elif not missing_ok:
        raise T5MixError(f"~{key}: the configuration has no {key} that could be taken out.")


def parse_choice(text: str) -> dict[str, Any]:
    """Reads `KIND` or `KIND:key=value,key=value`, an option of a group with its settings.

    Values are written as in overrides: `temperature:temperature=4,max_examples=65536`, and for a strategy within
    another `capped:strategy={kind:temperature,temperature:4},max_epochs=2`.

    Returns:
        `{"kind": KIND, key: value, ...}`, which `t5mix.config.reading` validates.

    Raises:
        T5MixError: a setting cannot be parsed.
    """
    kind, _, rest = text.partition(":")
    choice: dict[str, Any] = {}
    for setting in re.split(r",(?=\w+=)", rest) if rest else ():  # a comma within a value is followed by no `key=`
        try:
            override = parse(setting)
        except HydraException as error:
            raise T5MixError(f"{setting!r} is not a setting: {_CHOICE}. {error}") from error
        if override.is_sweep_override() or not re.match(r"\w+=", setting):
            raise T5MixError(f"{setting!r} is not a setting: {_CHOICE}.")
        choice[override.key_or_group] = override.value()
    return {**choice, "kind": kind}


_CHOICE = (
    "write KIND:key=value,key=value, such as temperature:temperature=4,max_examples=65536; lists and braces are values "
    "too"
)


def named_configs() -> list[str]:
    """Returns the names of the package's own experiments."""
    return list(packaged_yaml("t5mix.config", "experiments"))


def groups() -> dict[str, list[str]]:
    """Returns the options of each group: the kinds that are registered, and the presets of the model."""
    from t5mix.config.experiment import KIND_GROUPS  # loads JAX, which commands that compose nothing do without
    from t5mix.model.presets import PRESETS

    return {**{group: sorted(registry) for group, registry in KIND_GROUPS.items()}, "model": sorted(PRESETS)}


def _kind_key(group: str) -> str:
    """Returns the key under which a group holds the name of its option."""
    return "preset" if group == "model" else "kind"


def _choose(group: str, option: str) -> dict[str, str]:
    """Returns what an option of a group composes to."""
    return {_kind_key(group): option}


def _store(options: Mapping[str, Sequence[str]], folder: Path | None) -> None:
    """Makes the options of groups known to Hydra, except those that a user's folder has a file of its own for."""
    store = ConfigStore.instance()
    for group, names in options.items():
        stored = store.repo.setdefault(group, {})
        for name in names:
            file = f"{name}.yaml"
            if folder is not None and (folder / group / file).is_file():
                stored.pop(file, None)  # Hydra would take it for the schema of the file
            elif file not in stored:
                store.store(name, _choose(group, name), group)


def _accept_new_keys(text: str, options: Mapping[str, Sequence[str]]) -> str:
    """Returns the override in the form that Hydra takes: an option of a group, or a value of a key, new or not."""
    text = plain_override(text, _text_keys())
    override = parse(text)
    key = override.key_or_group
    if key in options and isinstance(override.value(), str):
        if override.value() in options[key]:
            return text
        # An unknown option may be a plug-in's kind, which is registered only when the experiment is read.
        ((name, option),) = _choose(key, str(override.value())).items()
        return f"++{key}={{{name}: {quoted(option)}}}"
    if key in options and not isinstance(override.value(), dict) and not override.is_delete():
        raise T5MixError(f"{text!r}: {key} is a group. Choose one of its options: {', '.join(options[key])}.")
    return text if text.startswith(("+", "~")) else f"++{text}"


@functools.cache
def _text_keys() -> frozenset[str]:
    """Returns the keys whose value is text: paths, for the most part."""
    from t5mix.config.experiment import Experiment

    fields = dataclasses.fields(Experiment)  # type: ignore[arg-type]
    return frozenset(field.name for field in fields if field.type in (str, str | None))


def _check_source(source: str) -> None:
    if is_yaml(source):
        _check_file(Path(source))
    elif source not in named_configs():
        raise UnknownNameError("configuration", source, named_configs(), "A file of your own ends in .yaml.")


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise T5MixError(f"The configuration file {path} is missing.")
    read_yaml(path)
    text = path.read_text(encoding="utf-8")
    if not re.search(r"^defaults:", text, re.MULTILINE):
        raise T5MixError(f"{path} has no defaults list. Begin it with:\ndefaults:\n  - experiment\n  - _self_")
    hiding = path.parent / "experiment.yaml"
    if hiding.exists():
        raise T5MixError(f"{hiding} hides the package's own defaults of that name. Give the file another name.")
