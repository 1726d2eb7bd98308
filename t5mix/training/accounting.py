"""What people want to be told about a mixture: tasks seen too often, and tasks hardly seen."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from t5mix.training.config import TrainingConfig


def foreseen(sizes: Mapping[str, int], examples: np.ndarray, config: TrainingConfig) -> Iterator[str]:
    """Yields what is to be said before a run.

    Args:
        sizes: each task's number of training examples.
        examples: how many the run is expected to draw of each, by task id; [N].
        config: holds the bounds.
    """
    expected = dict(zip(sizes, examples.tolist(), strict=True))
    often = {name: count / sizes[name] for name, count in expected.items()}
    if config.warn_epochs is not None and max(often.values()) > config.warn_epochs:
        tasks = ", ".join(f"{name} ({n:,.0f} times)" for name, n in often.items() if n > config.warn_epochs)
        yield (
            f"To be seen more than {config.warn_epochs:g} times (training.warn_epochs): {tasks}. mixing=unimax and "
            "mixing=capped keep below a number of epochs."
        )
    yield from _hardly_seen("To be", expected, sizes, config)


def noticed(line: Mapping[str, Any], sizes: Mapping[str, int], config: TrainingConfig) -> Iterator[str]:
    """Yields what is to be said of a logged window: the tasks that passed the bound on epochs in it."""
    if config.warn_epochs is None:
        return
    for name, task in line["tasks"].items():
        before = task["epochs"] - task["examples"] / sizes[name]
        if before <= config.warn_epochs < task["epochs"]:
            yield f"Task {name} has now been seen more than {config.warn_epochs:g} times (training.warn_epochs)."


def concluded(examples: Mapping[str, float], sizes: Mapping[str, int], config: TrainingConfig) -> Iterator[str]:
    """Yields what is to be said after a run of the examples that it drew of each task."""
    yield from _hardly_seen("Was", examples, sizes, config)


def _hardly_seen(
    verb: str, examples: Mapping[str, float], sizes: Mapping[str, int], config: TrainingConfig
) -> Iterator[str]:
    """Yields a sentence on the tasks of which fewer examples are drawn than the bound says, or than there are."""
    bound = config.warn_examples or 0
    rare = {name: count for name, count in examples.items() if count < min(bound, sizes[name])}
    if rare:
        tasks = ", ".join(f"{name} ({count:,.0f} of {sizes[name]:,} examples)" for name, count in rare.items())
        yield f"{verb} hardly seen (training.warn_examples = {bound:,}): {tasks}."
