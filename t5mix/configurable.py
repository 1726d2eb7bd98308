"""The dataclasses that are read from configuration."""

import dataclasses
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def configurable(cls: type[T]) -> type[T]:
    """Makes a class a frozen, keyword-only dataclass that refuses unknown keys when read from configuration.

    The object that is configured is the object that is used: there is no mirror class. The validator
    (pydantic, in `t5mix.validation`) reads `__pydantic_config__`; nothing here needs pydantic.
    """
    cls.__pydantic_config__ = {"extra": "forbid", "arbitrary_types_allowed": True}  # type: ignore[attr-defined]
    return dataclasses.dataclass(frozen=True, kw_only=True)(cls)
