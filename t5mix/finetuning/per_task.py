"""Banks as a policy: one frozen body, and what another policy adds to it, once for each task."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

from t5mix.configurable import configurable
from t5mix.errors import T5MixError
from t5mix.finetuning.adapters import Adapter
from t5mix.finetuning.bank import BankLayout
from t5mix.finetuning.base import POLICIES, FineTuningPolicy, RunShape

_MODULE = re.compile(r"(?:/bank)?/(?:tasks/([^/]+)|shared)(?=/)")
"""In a path: a task's module, whose task is group 1, or the shared module, for which group 1 is None."""


@POLICIES.register("per_task")
@configurable
class PerTask(FineTuningPolicy):
    """What a policy adds trains once for each task, on batches of all of them; each example goes through its task's.

    A run that starts from another's bank (`start_from`) keeps the modules of the tasks that it does not train on
    untouched, and with them the module that all share.

    Attributes:
        policy: adapter, houlsby, pfeiffer, lora, ia3 or prompt.
        shared: whether there is one more module for all tasks; what it does adds to what each task's does.
        tasks: the tasks, in the order of task ids; by default those of the run.
        frozen_tasks: tasks of the starting checkpoint that the run does not train on; found out by the run.
    """

    policy: FineTuningPolicy = Adapter(train_norms="own")
    shared: bool = False
    tasks: tuple[str, ...] = ()
    frozen_tasks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.policy.check_in_bank()

    @property
    def bank(self) -> "PerTask":
        """The policy itself."""
        return self

    @property
    def prompt_length(self) -> int:
        """The policy's own."""
        return self.policy.prompt_length

    @property
    def all_tasks(self) -> tuple[str, ...]:
        """The tasks that have a module: first those that train, then the frozen ones."""
        return (*self.tasks, *self.frozen_tasks)

    def for_tasks(self, tasks: Sequence[str], previous: FineTuningPolicy | None) -> "PerTask":
        """Returns the policy with the run's tasks filled in, and those it keeps of the bank that it starts from.

        Raises:
            T5MixError: other tasks were configured, or the bank it starts from has other modules.
        """
        if self.tasks and set(self.tasks) != set(tasks):
            raise T5MixError(
                f"finetuning.tasks names {', '.join(self.tasks)}, and the run trains on {', '.join(tasks)}. Leave "
                "it out."
            )
        start = None if previous is None else previous.bank  # whatever the rates it was trained with
        if start is not None and (start.policy, start.shared) != (self.policy, self.shared):
            raise T5MixError(
                f"start_from holds a bank of {start._contents()}, and this one is of {self._contents()}. They must be "
                "the same."
            )
        held = () if start is None else start.all_tasks
        return dataclasses.replace(
            self, tasks=tuple(tasks), frozen_tasks=tuple(name for name in held if name not in tasks)
        )

    def _contents(self) -> str:
        return f"{self.policy}{' and a shared module' if self.shared else ''}"

    def for_inference(self) -> "PerTask":
        """Returns the policy whose model uses the modules of all tasks that the bank holds."""
        return dataclasses.replace(self, tasks=self.all_tasks, frozen_tasks=())

    def adapt(self, model: Any, rngs: Any) -> Any:
        """Puts a bank into every place where the policy puts something."""
        return self.policy.in_bank(model, rngs, BankLayout(self.tasks, self.frozen_tasks, self.shared))

    def unfreeze_step(self, path: str, run: RunShape) -> int | None:
        """Returns the policy's answer for the modules of the run's tasks; None for frozen ones, and for the body."""
        module = _MODULE.search(path)
        if module is None or module[1] in self.frozen_tasks or (module[1] is None and self.frozen_tasks):
            return None
        return self.policy.unfreeze_step(path, run)

    def learning_rate_scale(self, path: str, run: RunShape) -> float:
        """Returns the policy's answer."""
        return self.policy.learning_rate_scale(path, run)

    def single_task(self, params: Mapping[str, Any], task: str) -> tuple["PerTask", dict[str, Any]]:
        """Returns the bank with the modules of one task only, and its parameters.

        Args:
            params: of the whole bank, by path.
            task: the task.

        Raises:
            T5MixError: the bank has no such task.
        """
        self.task_index(task)
        of_others = {
            path for path in params if (module := _MODULE.search(path)) is not None and module[1] not in (None, task)
        }
        bank = dataclasses.replace(self, tasks=(task,), frozen_tasks=())
        return bank, {path: leaf for path, leaf in params.items() if path not in of_others}

    def task_index(self, task: str) -> int:
        """Returns the number by which the model of `for_inference` knows a task.

        Raises:
            T5MixError: the bank has no such task.
        """
        if task not in self.all_tasks:
            raise T5MixError(
                f"The bank has no modules for the task {task!r}. It has them for {', '.join(self.all_tasks)}."
            )
        return self.all_tasks.index(task)

    def merged(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the parameters of the plain model that computes what the bank does for its only task.

        Args:
            params: of the adapted model, by path.

        Raises:
            T5MixError: there are several tasks, or the policy adds what cannot be merged.
        """
        if len(self.all_tasks) > 1:
            raise T5MixError(
                f"A bank of several tasks cannot become one model. Name the task to merge: {', '.join(self.all_tasks)}."
            )
        of_task, of_shared = {}, {}
        for path, leaf in params.items():
            module = _MODULE.search(path)
            group = of_shared if module is not None and module[1] is None else of_task
            group[_MODULE.sub("", path)] = leaf
        merged = self.policy.merged(of_task)
        return self.policy.merged({**merged, **of_shared}) if of_shared else merged
