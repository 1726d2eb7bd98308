"""Registries of classes by a short kind, the name they go by in configuration, and how pydantic reads a kind."""

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from pydantic import GetCoreSchemaHandler, TypeAdapter
from pydantic_core import CoreSchema, PydanticCustomError, PydanticKnownError, core_schema

from t5mix.errors import T5MixError, UnknownNameError

T = TypeVar("T")
S = TypeVar("S", bound=type)


class Registry(Mapping[str, type[T]], Generic[T]):
    """Maps a kind to the class that implements it.

    A base makes a tagged union of the registry: where a configuration has a field of that type, alone or within a
    tuple, pydantic reads a kind, or a mapping of `kind` and settings. The union stays open, since plug-ins register
    later: the kind is looked up when data are read.

    Args:
        noun: what is registered, as error messages should call it ("mixing strategy").
        base: the class that all registered classes inherit from.
    """

    def __init__(self, noun: str, base: type[T] | None = None) -> None:
        self.noun = noun
        self.base = base
        self._classes: dict[str, Any] = {}
        if base is not None:
            _REGISTRIES.append(self)
            self._teach_pydantic(base)

    def register(self, kind: str) -> Callable[[S], S]:
        """Returns a class decorator that registers its class under `kind`.

        Raises:
            T5MixError: another class already goes by that kind, or the class does not inherit from the base.
        """

        def add(cls: S) -> S:
            taken = self._classes.get(kind)
            if taken is not None and taken.__qualname__ != cls.__qualname__:
                raise T5MixError(f"Two classes want to be the {self.noun} {kind!r}: {taken} and {cls}.")
            if self.base is not None and not issubclass(cls, self.base):
                raise T5MixError(
                    f"{cls.__name__} cannot be the {self.noun} {kind!r}: let it inherit from "
                    f"{self.base.__module__}.{self.base.__name__}."
                )
            self._classes[kind] = cls
            return cls

        return add

    def kind_of(self, instance: T) -> str:
        """Returns the kind that the class of `instance` is registered under."""
        for kind, cls in self._classes.items():
            if type(instance) is cls:
                return kind
        raise T5MixError(f"{type(instance).__name__} is not registered as a {self.noun}.")

    def __getitem__(self, kind: str) -> type[T]:
        if kind not in self._classes:
            raise UnknownNameError(self.noun, kind, self._classes)
        return self._classes[kind]

    def __contains__(self, kind: object) -> bool:
        return kind in self._classes

    def __iter__(self) -> Iterator[str]:
        return iter(self._classes)

    def __len__(self) -> int:
        return len(self._classes)

    def _teach_pydantic(self, cls: type) -> None:
        def schema(_: type, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
            if source is self.base:
                return core_schema.no_info_plain_validator_function(self._read)
            return handler(source)

        cls.__get_pydantic_core_schema__ = classmethod(schema)  # type: ignore[attr-defined]

    def _read(self, raw: Any) -> T:
        """Reads a kind and its settings; what is wrong is put into words by `t5mix.validation`."""
        settings = {"kind": raw} if isinstance(raw, str) else raw
        if not isinstance(settings, Mapping):
            raise PydanticKnownError("dict_type")
        kind = settings.get("kind")
        if kind is None:
            raise PydanticCustomError("missing_kind", "Known: {kinds}.", {"kinds": ", ".join(sorted(self))})
        try:
            cls = self[str(kind)]
        except UnknownNameError as error:
            raise PydanticCustomError("unknown_kind", "{error}", {"error": str(error), "noun": self.noun}) from error
        return type_adapter(cls).validate_python({name: value for name, value in settings.items() if name != "kind"})


type_adapter = functools.cache(TypeAdapter)
"""pydantic's validator of a type. Building one takes longer than using it."""

_REGISTRIES: list[Registry[Any]] = []


def registry_of(cls: Any) -> Registry[Any] | None:
    """Returns the registry that a class is the base of, or is registered in; None where there is none."""
    for registry in _REGISTRIES:
        if cls is registry.base or cls in registry.values():
            return registry
    return None
