"""Banks as a policy: one frozen body, and what another policy adds to it, once for each task."""

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

from t5mix.configurable import configurable
from t5mix.errors import T5MixError
from t5mix.finetuning.adapters import Adapter
from t5mix.finetuning.bank import BankLayout
from t5mix.finetuning.base import POLICIES, FineTuningPolicy, RunShape, merged, prompt_length_of

_PART = re.compile(r"(?:/bank)?/(?:tasks/([^/]+)|shared)(?=/)")


@POLICIES.register("per_task")
@configurable
class PerTask:
    """What a policy adds trains once for each task, on batches of all of them; each example goes through its task's.

    A run that starts from another's bank (`start_from`) keeps the parts of the tasks that it does not train on
    untouched, and with them the part that all share.

    Attributes:
        policy: adapter, houlsby, pfeiffer, lora, ia3 or prompt.
        shared: whether one more part is there for all tasks; what it does adds to each task's own.
        tasks: the tasks, in the order of task ids; by default those of the run.
        frozen_tasks: tasks of the starting checkpoint that the run does not train on; found out by the run.
    """

    policy: FineTuningPolicy = Adapter(train_norms="own")
    shared: bool = False
    tasks: tuple[str, ...] = ()
    frozen_tasks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not hasattr(self.policy, "in_bank"):
            able = sorted(kind for kind, cls in POLICIES.items() if hasattr(cls, "in_bank"))
            raise ValueError(
                f"finetuning.policy is {POLICIES.kind_of(self.policy)!r}, which adds nothing that a task could have of "
                f"its own. Choose one of {', '.join(able)}"
            )
        if hasattr(self.policy, "check_in_bank"):
            self.policy.check_in_bank()  # type: ignore[attr-defined]

    @property
    def prompt_length(self) -> int:
        """The policy's own."""
        return prompt_length_of(self.policy)

    def for_tasks(self, tasks: Sequence[str], before: FineTuningPolicy | None) -> "PerTask":
        """Returns the policy with the run's tasks filled in, and those it keeps of the bank that it starts from.

        Raises:
            T5MixError: other tasks were configured, or the bank it starts from has other parts.
        """
        if self.tasks and set(self.tasks) != set(tasks):
            raise T5MixError(
                f"finetuning.tasks names {', '.join(self.tasks)}, and the run trains on {', '.join(tasks)}. Leave "
                "it out."
            )
        known: tuple[str, ...] = ()
        before = before and bank_of(before)  # whatever the rates it was trained with
        if isinstance(before, PerTask):
            known = (*before.tasks, *before.frozen_tasks)
            if (before.policy, before.shared) != (self.policy, self.shared):
                raise T5MixError(
                    f"start_from holds a bank of {before.policy}{' and a shared part' if before.shared else ''}, and "
                    f"this one is of {self.policy}{' and a shared part' if self.shared else ''}. They must be the same."
                )
        return dataclasses.replace(
            self, tasks=tuple(tasks), frozen_tasks=tuple(name for name in known if name not in tasks)
        )

    def for_inference(self) -> "PerTask":
        """Returns the policy whose model uses all parts that the bank holds."""
        return dataclasses.replace(self, tasks=(*self.tasks, *self.frozen_tasks), frozen_tasks=())

    def adapt(self, model: Any, rngs: Any) -> Any:
        """Puts a bank into every place where the policy puts something."""
        return self.policy.in_bank(model, rngs, BankLayout(self.tasks, self.frozen_tasks, self.shared))  # type: ignore[attr-defined]

    def unfreeze_step(self, path: str, run: RunShape) -> int | None:
        """Returns the policy's answer for the parts of the run's tasks; None for those kept, and for the body."""
        part = _PART.search(path)
        if part is None or part[1] in self.frozen_tasks or (part[1] is None and self.frozen_tasks):
            return None
        return self.policy.unfreeze_step(path, run)

    def learning_rate_scale(self, path: str, run: RunShape) -> float:
        """Returns the policy's answer."""
        return self.policy.learning_rate_scale(path, run)

    def alone(self, params: dict[str, Any], task: str) -> tuple["PerTask", dict[str, Any]]:
        """Returns the bank with one task's parts alone, and its parameters.

        Args:
            params: of the whole bank, by path.
            task: whose.

        Raises:
            T5MixError: the bank has no such task.
        """
        self.task_index(task)
        others = {path for path in params if (part := _PART.search(path)) and part[1] not in (None, task)}
        return dataclasses.replace(self, tasks=(task,), frozen_tasks=()), {
            p: params[p] for p in params if p not in others
        }

    def task_index(self, task: str) -> int:
        """Returns the number by which the model of `for_answers` knows a task.

        Raises:
            T5MixError: the bank has no such task.
        """
        names = (*self.tasks, *self.frozen_tasks)
        if task not in names:
            raise T5MixError(f"The bank has no parts for the task {task!r}. It has them for {', '.join(names)}.")
        return names.index(task)

    def merged(self, params: dict[str, Any]) -> dict[str, Any]:
        """Returns the parameters of the plain model that computes what the bank does for its only task.

        Args:
            params: of the adapted model, by path.

        Raises:
            T5MixError: there are several tasks, or the policy adds what cannot be merged.
        """
        names = (*self.tasks, *self.frozen_tasks)
        if len(names) > 1:
            raise T5MixError(f"A bank of several tasks is no single model. Name the one to merge: {', '.join(names)}.")
        parts = {path: _PART.search(path) for path in params}
        own = {_PART.sub("", p): params[p] for p, part in parts.items() if part is None or part[1] is not None}
        shared = {_PART.sub("", p): params[p] for p, part in parts.items() if part is not None and part[1] is None}
        once = merged(self.policy, own)
        return merged(self.policy, {**once, **shared}) if shared else once


def bank_of(policy: FineTuningPolicy) -> PerTask | None:
    """Returns the bank that a policy is, or is wrapped around; None if it is none."""
    if isinstance(policy, PerTask):
        return policy
    inner = getattr(policy, "policy", None)
    return None if inner is None else bank_of(inner)
