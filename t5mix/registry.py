"""A registry of classes by a short kind, the name they go by in configuration."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from t5mix.errors import T5MixError, UnknownNameError

T = TypeVar("T")
S = TypeVar("S", bound=type)


class Registry(Mapping[str, type[T]], Generic[T]):
    """Maps a kind to the class that implements it.

    Args:
        noun: what is registered, as error messages should call it ("mixing strategy").
        base: the class that all registered ones must inherit from; None for any class.
    """

    def __init__(self, noun: str, base: type[T] | None = None) -> None:
        self.noun, self._base = noun, base
        self._classes: dict[str, Any] = {}

    def register(self, kind: str) -> Callable[[S], S]:
        """Returns a class decorator that registers its class under `kind`.

        Raises:
            T5MixError: another class already goes by that kind, or the class does not inherit from the base.
        """

        def add(cls: S) -> S:
            if self._base is not None and not issubclass(cls, self._base):
                raise T5MixError(
                    f"{cls.__name__} cannot be the {self.noun} {kind!r}: let it inherit from "
                    f"{self._base.__module__}.{self._base.__name__}."
                )
            taken = self._classes.get(kind)
            if taken is not None and taken.__qualname__ != cls.__qualname__:
                raise T5MixError(f"Two classes want to be the {self.noun} {kind!r}: {taken} and {cls}.")
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

    def __iter__(self) -> Iterator[str]:
        return iter(self._classes)

    def __len__(self) -> int:
        return len(self._classes)
