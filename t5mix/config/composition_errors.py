"""What composing a configuration failed of, in words; above all a dollar that was meant as text."""

import re
from collections.abc import Iterator
from typing import Any


def explain(error: Exception, raw: Any) -> str:
    """Returns what is wrong with a configuration.

    Args:
        error: Hydra's or OmegaConf's, which may have no text of its own.
        raw: what the configuration file holds; None where there is none.
    """
    chain = [*_chain(error)]
    problem = next((text for link in chain if (text := _first_line(link))), type(error).__name__)
    key = next((key for link in chain if isinstance(key := getattr(link, "full_key", None), str) and key), "")
    text = _value_at(raw, key)
    if not isinstance(text, str) or "${" not in text:
        of_key = f" ({key})" if key and key not in problem else ""
        dollar = " ${...} stands for another value; a dollar that is text has a backslash before it, in single quotes."
        return f"The configuration cannot be composed: {problem}{of_key}.{dollar if 'nterpolation' in problem else ''}"
    escaped = re.sub(r"(?<!\\)\$\{", r"\\${", text).replace("'", "''")
    return (
        f"{key} is {text!r}: ${{...}} stands for another value of the configuration, and this one cannot be had "
        f"({problem}). If the dollar is text, put a backslash before it and the whole into single quotes: '{escaped}'."
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yields an error, and those that it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]


def _value_at(raw: Any, key: str) -> Any:
    """Returns the value of a dotted key; None where there is none."""
    for name in re.findall(r"[^.\[\]]+", key):
        if isinstance(raw, list):
            raw = raw[int(name)] if name.isdigit() and int(name) < len(raw) else None
        else:
            raw = raw.get(name) if isinstance(raw, dict) else None
    return raw
