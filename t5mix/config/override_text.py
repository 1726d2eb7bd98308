"""One override as people write it, and as Hydra's grammar reads it: paths and other plain text are taken as given."""

import functools
import re
import shlex
from collections.abc import Collection

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

from t5mix.errors import T5MixError

_SETTING = re.compile(r"(?P<key>\+{0,2}[\w./@-]+)=(?P<value>.*)", re.DOTALL)
_FILES = re.compile(r"tasks\.[^.]+\.files\.[^.]+(\.[^.]+)?")  # of a split, or of a field of its parallel text
_NOT_PLAIN = re.compile(r"^[\[{'\"]|\$\{|^(null)?$")  # lists, mappings, quotations, references, nothing
_MEANT_FOR_HYDRA = re.compile(r"[\[\]{}'\",]|\$\{")  # in a value of any key: what could be a misspelt list, or quotes


@functools.lru_cache(maxsize=1024)
def parse(text: str) -> Override:
    """Returns an override as Hydra reads it; raises HydraException where its grammar does not allow the text."""
    return OverridesParser.create().parse_override(text)


def plain_override(text: str, text_keys: Collection[str]) -> str:
    """Returns an override that Hydra's grammar reads as it was meant: quoted where the value is plain text.

    The value of a key that holds text (`run_dir=runs/a,b`, `run_dir=1e-3`, `tasks.x.files.test=part-*.tsv`) is text,
    whatever the grammar takes it for, unless it is in brackets, braces or quotes, refers to other values, or is null.
    The value of any other key is text where the grammar refuses it and nothing in it could be a list, a mapping or a
    quotation.

    Raises:
        T5MixError: the grammar refuses the override, or reads several values; says how to write it.
    """
    setting = _SETTING.fullmatch(text)
    if setting is None:
        return _checked(text)
    key, value = setting["key"], setting["value"].strip()
    holds_text = key.lstrip("+") in text_keys or _FILES.fullmatch(key.lstrip("+"))
    if holds_text and not _NOT_PLAIN.search(value):
        return f"{key}={quoted(value)}"
    try:
        parse(text)
    except HydraException:
        if not _MEANT_FOR_HYDRA.search(value):
            return f"{key}={quoted(value)}"
    return _checked(text)


def quoted(value: str) -> str:
    """Returns text in quotes, such that Hydra's grammar reads just this text."""
    return QuotedString(text=value, quote=Quote.single).with_quotes()


def _checked(text: str) -> str:
    key, equals, value = text.partition("=")
    try:
        override = parse(text)
    except HydraException as error:
        advice = f" Text with commas, brackets or quotes goes in quotes: {_in_quotes(key, value)}." if equals else ""
        raise T5MixError(
            f"{text!r} is not an override: write key=value, such as training.steps=500.{advice}"
        ) from error
    if override.is_sweep_override():
        raise T5MixError(
            f"{text!r} has several values, and a run takes one. A list is written '{key}=[{value}]', and text with "
            f"commas in quotes: {_in_quotes(key, value)}."
        )
    return text


def _in_quotes(key: str, value: str) -> str:
    """Returns a setting whose value is text, as one types it in a shell."""
    setting = f"{key}={quoted(value)}"
    return shlex.quote(setting) if re.search(r'["$`\\!]', setting) else f'"{setting}"'
