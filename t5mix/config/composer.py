"""What composes configurations: Hydra, whose compose API is asked once for each file."""

import copy
import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir, initialize_config_module
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from t5mix.config.composition_errors import explain
from t5mix.config.config_files import check_source
from t5mix.config.groups import choose, groups, kind_key, store_options
from t5mix.config.override_text import parse, plain_override, quoted
from t5mix.errors import T5MixError
from t5mix.yaml_files import is_yaml, read_yaml

_MODULE = "t5mix.config.experiments"

Tell = Callable[[str], None]


class Composer:
    """Composes one configuration with different overrides, as a sweep's runs have them; see `compose_experiment`.

    Hydra takes a fifth of a second, so it composes the configuration once; overrides are then set as it would set them.
    """

    def __init__(self, source: str = "experiment", tell: Tell | None = None) -> None:
        self._source = source
        check_source(source)  # before JAX is loaded for the options of groups
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
        key = kind_key(group)
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
            store_options(self._options, self._folder)
            searching = f"hydra.searchpath=[pkg://{_MODULE}]"
            with initialize_config_dir(str(self._folder.absolute()), version_base="1.3", job_name="t5mix"):
                return compose(path.stem, overrides=[searching, *arguments])
        store_options(self._options, None)
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


def _accept_new_keys(text: str, options: Mapping[str, Sequence[str]]) -> str:
    """Returns the override in the form that Hydra takes: an option of a group, or a value of a key, new or not."""
    text = plain_override(text, text_keys())
    override = parse(text)
    key = override.key_or_group
    if key in options and isinstance(override.value(), str):
        if override.value() in options[key]:
            return text
        # An unknown option may be a plug-in's kind, which is registered only when the experiment is read.
        ((name, option),) = choose(key, str(override.value())).items()
        return f"++{key}={{{name}: {quoted(option)}}}"
    if key in options and not isinstance(override.value(), dict) and not override.is_delete():
        raise T5MixError(f"{text!r}: {key} is a group. Choose one of its options: {', '.join(options[key])}.")
    return text if text.startswith(("+", "~")) else f"++{text}"


@functools.cache
def text_keys() -> frozenset[str]:
    """Returns the keys whose value is text: paths, for the most part."""
    from t5mix.config.experiment import Experiment

    fields = dataclasses.fields(Experiment)  # type: ignore[arg-type]
    return frozenset(field.name for field in fields if field.type in (str, str | None))
