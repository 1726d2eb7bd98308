"""Composing an experiment from a configuration file, groups and overrides, and a group's option from a word."""

import re
from collections.abc import Sequence
from typing import Any

from hydra.errors import HydraException

from t5mix.config.composer import Composer, Tell
from t5mix.config.override_text import parse
from t5mix.errors import T5MixError


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
