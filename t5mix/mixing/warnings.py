"""Warnings about a mixture: tasks seen too often, and tasks rarely seen."""

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from t5mix.console import wording

_NAMED = 3  # tasks that a warning names; the others it counts


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
            often = sorted((name for name, n in epochs.items() if n > self.warn_epochs), key=lambda name: -epochs[name])
            tasks = _worst([f"{name} (about {epochs[name]:,.0f} times)" for name in often])
            yield (
                f"To be seen more than {self.warn_epochs:g} times (training.warn_epochs): {tasks}. mixing=unimax and "
                "mixing=capped keep below a number of epochs."
            )
        if rare := self.rarely_seen(expected):
            yield self._few("will be", rare, expected)

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

    def after_run(self, examples: Mapping[str, float], foreseen: Collection[str] = ()) -> Iterator[str]:
        """Yields the warnings after a run.

        Args:
            examples: how many it drew of each task.
            foreseen: the tasks that were said to be rarely seen before; they are not named again.
        """
        if rare := [name for name in self.rarely_seen(examples) if name not in foreseen]:
            yield self._few("were", rare, examples)

    def rarely_seen(self, examples: Mapping[str, float]) -> list[str]:
        """Returns the tasks of which fewer examples are drawn than the bound says and than there are, rarest first."""
        bound = self.warn_examples or 0
        rare = [name for name, count in examples.items() if count < min(bound, self.sizes[name])]
        return sorted(rare, key=lambda name: examples[name])

    def _few(self, verb: str, rare: Sequence[str], examples: Mapping[str, float]) -> str:
        tasks = _worst([f"{name} ({examples[name]:,.0f} of {self.sizes[name]:,})" for name in rare])
        return f"Fewer than {self.warn_examples:,} examples {verb} drawn (training.warn_examples) of {tasks}."


def _worst(tasks: list[str]) -> str:
    """Returns the first few tasks in words, and how many more there are."""
    return wording.listed(tasks, _NAMED)
