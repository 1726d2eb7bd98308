"""The decorator of dataclasses that are read from configuration."""

import dataclasses
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def configurable(cls: type[T]) -> type[T]:
    """Makes a class a frozen, keyword-only dataclass that configuration can be read into, with no keys but its fields.

    The object that is configured is the object that is used: no second class mirrors it. `t5mix.validation` reads plain
    data into it, and pydantic finds the rule about unknown keys in `__pydantic_config__`.
    """
    cls.__pydantic_config__ = {"extra": "forbid", "arbitrary_types_allowed": True}  # type: ignore[attr-defined]
    return dataclasses.dataclass(frozen=True, kw_only=True)(cls)
