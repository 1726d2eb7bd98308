"""The tasks as a strategy sees them: counted in examples or tokens, and none of them twice."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from t5mix.mixing.base import TaskFeedback

Unit = Literal["examples", "tokens"]


@dataclasses.dataclass(frozen=True)
class TaskSize:
    """The training data of one task.

    Attributes:
        name: the task.
        examples: how many there are.
        tokens: of inputs and targets together.
        content: identifies the data; two tasks with the same content are one task under two names.
    """

    name: str
    examples: int
    tokens: int
    content: str = ""


class TaskSizes:
    """Translates between the tasks of a run and what a strategy mixes.

    Where two tasks hold the very same data (RTE is in GLUE and in SuperGLUE), the strategy sees the first of them, and
    its proportion is split evenly among them. Where the unit is tokens, sizes and proportions are of tokens, and the
    stream, which draws examples, draws the fewer of a task the longer they are.

    Args:
        tasks: of the run, by task id.
        unit: what sizes and proportions count.
        split_duplicates: whether tasks with the same data count as one; a strategy that names tasks sees all of them.
    """

    def __init__(self, tasks: Sequence[TaskSize], unit: Unit = "examples", *, split_duplicates: bool = True) -> None:
        self._tasks, self._unit = tasks, unit
        first: dict[str, str] = {}
        self._head = [
            first.setdefault(task.content, task.name) if task.content and split_duplicates else task.name
            for task in tasks
        ]
        counts = {head: self._head.count(head) for head in self._head}
        self._share = np.asarray([1 / counts[head] for head in self._head])
        mean_tokens = np.asarray([task.tokens / max(task.examples, 1) for task in tasks])
        self._per_example = mean_tokens if unit == "tokens" else np.ones(len(tasks))

    @property
    def sizes(self) -> dict[str, int]:
        """What the strategy is told of: each task's size in the unit, duplicates left out."""
        sizes: dict[str, int] = {}
        for task, head in zip(self._tasks, self._head, strict=True):
            sizes.setdefault(head, task.tokens if self._unit == "tokens" else task.examples)
        return sizes

    @property
    def duplicates(self) -> dict[str, list[str]]:
        """The tasks that stand for others with the same data, with all their names."""
        groups: dict[str, list[str]] = {}
        for task, head in zip(self._tasks, self._head, strict=True):
            groups.setdefault(head, []).append(task.name)
        return {head: names for head, names in groups.items() if len(names) > 1}

    def spread(self, values: Mapping[str, float]) -> np.ndarray:
        """Returns a strategy's proportions, in its unit, for every task of the run; [N]."""
        return np.asarray([values[head] for head in self._head]) * self._share

    def example_proportions(self, proportions: Mapping[str, float]) -> np.ndarray:
        """Returns the probability that an example drawn is of each task; [N], summing to one."""
        rates = self.spread(proportions) / self._per_example
        return rates / rates.sum()

    def amount(self, examples: float, draws: np.ndarray) -> float:
        """Returns what so many examples, drawn with these probabilities, come to in the unit."""
        return float(examples * (draws * self._per_example).sum())

    def feedback(
        self,
        *,
        loss_sums: np.ndarray,
        loss_tokens: np.ndarray,
        examples: np.ndarray,
        tokens: np.ndarray,
        proportions: Mapping[str, float],
        excess_sums: np.ndarray | None = None,
    ) -> dict[str, TaskFeedback]:
        """Returns one step's sums as the strategy sees them; arrays have one entry a task of the run."""
        amounts = tokens if self._unit == "tokens" else examples
        result: dict[str, TaskFeedback] = {}
        for head in dict.fromkeys(self._head):
            members = [i for i, name in enumerate(self._head) if name == head]
            if examples[members].sum() > 0:
                result[head] = TaskFeedback(
                    loss_sum=float(loss_sums[members].sum()),
                    tokens=float(loss_tokens[members].sum()),
                    examples=int(examples[members].sum()),
                    amount=float(amounts[members].sum()),
                    proportion=float(proportions[head]),
                    excess_sum=None if excess_sums is None else float(excess_sums[members].sum()),
                )
        return result
