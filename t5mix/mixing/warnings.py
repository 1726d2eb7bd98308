"""Warnings about a mixture: tasks seen too often, and tasks hardly seen."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class MixtureWarnings:
    """What to warn of before, during and after a run.

    Attributes:
        sizes: each task's number of training examples, by task id.
        warn_epochs: a task seen more often than this is warned of; None for never.
        warn_examples: a task of which the run draws fewer examples than this is warned of; None for never.
    """

    sizes: Mapping[str, int]
    warn_epochs: float | None
    warn_examples: int | None

    def before_run(self, examples: np.ndarray) -> Iterator[str]:
        """Yields the warnings before a run.

        Args:
            examples: how many the run is expected to draw of each task, by task id; [N].
        """
        expected = dict(zip(self.sizes, examples.tolist(), strict=True))
        epochs = {name: count / self.sizes[name] for name, count in expected.items()}
        if self.warn_epochs is not None and max(epochs.values()) > self.warn_epochs:
            tasks = ", ".join(f"{name} ({n:,.0f} times)" for name, n in epochs.items() if n > self.warn_epochs)
            yield (
                f"To be seen more than {self.warn_epochs:g} times (training.warn_epochs): {tasks}. mixing=unimax and "
                "mixing=capped keep below a number of epochs."
            )
        yield from self._hardly_seen("To be", expected)

    def at_log_step(self, line: Mapping[str, Any]) -> Iterator[str]:
        """Yields the warnings at a logging step: the tasks that passed the bound on epochs since the last one.

        Args:
            line: what was logged.
        """
        if self.warn_epochs is None:
            return
        for name, task in line["tasks"].items():
            before = task["epochs"] - task["examples"] / self.sizes[name]
            if before <= self.warn_epochs < task["epochs"]:
                yield f"Task {name} has now been seen more than {self.warn_epochs:g} times (training.warn_epochs)."

    def after_run(self, examples: Mapping[str, float]) -> Iterator[str]:
        """Yields the warnings after a run, from the examples that it drew of each task."""
        yield from self._hardly_seen("Was", examples)

    def _hardly_seen(self, verb: str, examples: Mapping[str, float]) -> Iterator[str]:
        """Yields a sentence on the tasks of which fewer examples are drawn than the bound says, or than there are."""
        bound = self.warn_examples or 0
        rare = {name: count for name, count in examples.items() if count < min(bound, self.sizes[name])}
        if rare:
            tasks = ", ".join(f"{name} ({count:,.0f} of {self.sizes[name]:,} examples)" for name, count in rare.items())
            yield f"{verb} hardly seen (training.warn_examples = {bound:,}): {tasks}."
