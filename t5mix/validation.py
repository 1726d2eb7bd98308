"""From plain data to configured objects and back; the one place that puts pydantic's errors into words."""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from types import NoneType
from typing import Any, TypeVar, get_args

from pydantic import ValidationError

from t5mix.errors import T5MixError, nearest
from t5mix.registry import registry_of, type_adapter

T = TypeVar("T")

_LARGEST = 1 << 63


def validate(
    type_: type[T], raw: Any, key: str = "", *, source: str = "", renamed: Mapping[str, str] | None = None
) -> T:
    """Reads plain data as an instance of a type.

    Args:
        type_: a dataclass, the base of a registry, or another type that pydantic knows.
        raw: plain data.
        key: where in the configuration the data stand, dotted; empty for its root.
        source: the file that the data are from; messages begin with it.
        renamed: what goes by another name now, and the new last name: `key` anywhere, `group.key` at any depth of a
            group, `group=kind` likewise.

    Raises:
        T5MixError: names every key that is wrong, its value, and what is allowed.
    """
    if problems := [*_impossible_numbers(raw, key)]:
        raise T5MixError("\n".join(f"{source}: {problem}" if source else problem for problem in problems))
    try:
        return type_adapter(type_).validate_python(raw)
    except ValidationError as error:
        words = _Words(type_, raw, key, source, renamed or {})
        raise T5MixError("\n".join(words.explain(problem) for problem in error.errors())) from error


def _impossible_numbers(raw: Any, key: str) -> Iterator[str]:
    """Yields what is wrong with numbers that no setting takes, however deep in plain data they are."""
    if isinstance(raw, Mapping | list | tuple):
        entries = raw.items() if isinstance(raw, Mapping) else enumerate(raw)
        for name, value in entries:
            yield from _impossible_numbers(value, f"{key}.{name}" if key else str(name))
    elif isinstance(raw, float) and math.isnan(raw):
        yield f"{key} is {raw}, which is not a number; give one, or leave the setting out."
    elif isinstance(raw, int) and not -_LARGEST <= raw < _LARGEST:
        yield f"{key} is {raw}, which does not fit into 64 bits; give a smaller number."


def to_plain(value: Any) -> Any:
    """Returns plain data that `validate` reads back: dataclasses as mappings, registered ones with their kind first."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        registry = registry_of(type(value))
        kind = {} if registry is None else {"kind": registry.kind_of(value)}
        return kind | {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: to_plain(entry) for key, entry in value.items()}
    return [to_plain(entry) for entry in value] if isinstance(value, list | tuple) else value


@dataclasses.dataclass(frozen=True)
class _Words:
    """What was validated, in order to explain what was wrong with it; the fields are `validate`'s arguments."""

    type_: Any
    raw: Any
    key: str
    source: str
    renamed: Mapping[str, str]

    def explain(self, problem: Mapping[str, Any]) -> str:
        """Returns one of pydantic's errors as a sentence or two."""
        where = ".".join(map(str, [*filter(None, [self.key]), *problem["loc"]]))
        text = self._explain(problem, where)
        return f"{self.source}: {text}" if self.source else text

    def _explain(self, problem: Mapping[str, Any], where: str) -> str:
        match problem["type"]:
            case "extra_forbidden" | "unexpected_keyword_argument":
                noun = "unknown key" if self.source else "Unknown configuration key"
                return f"{noun} {where!r}. {self._offer(where, problem['loc'])}"
            case "missing" | "missing_keyword_only_argument":
                return f"{where} is not set, and it has no default."
            case "missing_kind":
                return f"{where}.kind is not set. {problem['msg']}"
            case "unknown_kind":
                kind = problem["input"] if isinstance(problem["input"], str) else problem["input"]["kind"]
                new = self.renamed.get(f"{where.split('.')[0]}={kind}")
                return f"Unknown {problem['ctx']['noun']} {kind!r}. {_now(new)}" if new else problem["msg"]
            case "value_error":
                return f"{problem['ctx']['error']}."
        return f"{where} is {problem['input']!r}: {problem['msg'].lower()}."

    def _offer(self, where: str, loc: Sequence[str | int]) -> str:
        """Returns what to write in place of an unknown key."""
        name = str(loc[-1])
        prefix = where.removesuffix(name)
        parent = prefix.removesuffix(".")
        if new := self.renamed.get(f"{where.split('.')[0]}.{name}", self.renamed.get(name)):
            return _now(prefix + new)
        owner = _owner(self.type_, self.raw, loc)
        kind, others = _kinds_with(name, owner)
        if others:
            return (
                f"It is a setting of {', '.join(others)}, not of {kind}: choose another {parent}, leave the setting "
                f"out, or write ~{where} where a file has it."
            )
        settings = _settings(owner)
        if near := nearest(name, settings):
            return f"Did you mean {' or '.join(prefix + other for other in near)}?"
        return f"Known: {', '.join(settings)}." if settings else f"{parent} has no settings."


def _now(name: str) -> str:
    return f"It is called {name} now."


def _owner(type_: Any, raw: Any, loc: Sequence[str | int]) -> Any:
    """Returns the dataclass that the last step of `loc` should be a key of; None where that cannot be said."""
    try:
        for step in loc[:-1]:
            type_, raw = _inner(_concrete(type_, raw), step), raw[step]
        return _concrete(type_, raw)
    except LookupError:  # a union of several types
        return None


def _concrete(type_: Any, raw: Any) -> Any:
    """Returns the type that `raw` was read as: without None, and the registered class in place of a base."""
    if NoneType in get_args(type_):
        (type_,) = set(get_args(type_)) - {NoneType}
    registry = registry_of(type_)
    if registry is not None and type_ is registry.base:
        return registry[raw if isinstance(raw, str) else raw["kind"]]
    return type_


def _inner(type_: Any, step: str | int) -> Any:
    """Returns the type of a field, or of the entries of a mapping or a tuple."""
    if dataclasses.is_dataclass(type_):
        return {field.name: field.type for field in dataclasses.fields(type_)}[str(step)]
    return [inner for inner in get_args(type_) if inner is not Ellipsis][-1]


def _settings(cls: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(cls)] if dataclasses.is_dataclass(cls) else []


def _kinds_with(setting: str, cls: Any) -> tuple[str, list[str]]:
    """Returns the kind that a class is registered under, and the other kinds of its registry that have a setting."""
    registry = registry_of(cls) or {}
    kinds = {other: kind for kind, other in registry.items()}
    return kinds.get(cls, ""), sorted(kind for other, kind in kinds.items() if setting in _settings(other))
