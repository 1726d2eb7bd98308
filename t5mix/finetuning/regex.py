"""Training what regular expressions choose among the model's own parameters."""

import re

from t5mix.configurable import configurable
from t5mix.finetuning.base import POLICIES, FineTuningPolicy, RunShape


@POLICIES.register("regex")
@configurable
class RegexPolicy(FineTuningPolicy):
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
        trained = any(re.fullmatch(pattern, path) for pattern in self.train)
        frozen = any(re.fullmatch(pattern, path) for pattern in self.freeze)
        return 0 if trained and not frozen else None
