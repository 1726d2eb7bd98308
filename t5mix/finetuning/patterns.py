"""Policies that train some of the model's own parameters and add none."""

import re
from typing import Any

from t5mix.configurable import configurable
from t5mix.finetuning.base import POLICIES, RunShape
from t5mix.finetuning.paths import is_norm


class _Selection:
    """A choice among the model's own parameters."""

    def adapt(self, model: Any, rngs: Any) -> Any:
        """Returns the model as it is."""
        return model

    def learning_rate_scale(self, path: str, run: RunShape) -> float:
        """Returns 1."""
        return 1.0


@POLICIES.register("layer_norms")
@configurable
class LayerNorms(_Selection):
    """The scales of the layer norms train, and nothing else."""

    def unfreeze_step(self, path: str, run: RunShape) -> int | None:
        """Returns 0 for norms."""
        return 0 if is_norm(path) else None


@POLICIES.register("regex")
@configurable
class RegexPolicy(_Selection):
    """What some patterns match trains, but for what others match.

    Attributes:
        train: regular expressions for whole paths, such as `decoder/.*`.
        freeze: exceptions from them.
    """

    train: tuple[str, ...] = (".*",)
    freeze: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for pattern in (*self.train, *self.freeze):
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"finetuning: {pattern!r} is no regular expression: {error}") from error
        if not self.train:
            raise ValueError("finetuning.train is empty: give at least one pattern")

    @property
    def patterns(self) -> tuple[str, ...]:
        """All patterns; each must match something."""
        return (*self.train, *self.freeze)

    def unfreeze_step(self, path: str, run: RunShape) -> int | None:
        """Returns 0 for what trains."""
        wanted = any(re.fullmatch(pattern, path) for pattern in self.train)
        frozen = any(re.fullmatch(pattern, path) for pattern in self.freeze)
        return 0 if wanted and not frozen else None
