"""What a fine-tuning policy is: what it must say, what it may say besides, and what it is once its tasks are known."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from t5mix.errors import T5MixError
from t5mix.registry import Registry

if TYPE_CHECKING:
    from t5mix.finetuning.bank import BankLayout
    from t5mix.finetuning.per_task import PerTask


@dataclasses.dataclass(frozen=True)
class RunShape:
    """All that a fine-tuning policy's schedule may depend on.

    Attributes:
        steps: number of updates in the run, counted from its starting checkpoint.
        model: the model's configuration (`t5mix.model.config.T5Config`), for the depth of each stack.
    """

    steps: int
    model: Any


class FineTuningPolicy(ABC):
    """A rule for what of a model trains. The engine asks these questions and never which policy it is.

    A policy is a subclass, made a frozen dataclass by `t5mix.configurable.configurable` and registered in `POLICIES`.
    It must define `unfreeze_step`; everything else has a default.
    """

    @abstractmethod
    def unfreeze_step(self, path: str, run: RunShape) -> int | None:
        """Returns the step from which the parameter at `path` trains: 0 always, None never."""

    def adapt(self, model: Any, rngs: Any) -> Any:
        """Returns the model with the policy's own modules added; by default as it is."""
        return model

    def learning_rate_scale(self, path: str, run: RunShape) -> float:
        """Returns the factor on the learning rate of the parameter at `path`; by default 1."""
        return 1.0

    @property
    def patterns(self) -> tuple[str, ...]:
        """Regular expressions for whole paths of parameters, each of which must match one; by default none."""
        return ()

    @property
    def prompt_length(self) -> int:
        """Encoder positions that the data must keep free before each example's inputs; by default 0."""
        return 0

    @property
    def bank(self) -> "PerTask | None":
        """The bank that the policy is, or is wrapped around; by default None."""
        return None

    def for_tasks(self, tasks: Sequence[str], previous: "FineTuningPolicy | None") -> "FineTuningPolicy":
        """Returns the policy with a run's tasks filled in; by default it is the same for all tasks.

        Args:
            tasks: the run's tasks, in the order of task ids.
            previous: the policy of the checkpoint that the run starts from or continues; None if it has none.
        """
        return self

    def merged(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the parameters of the plain model that computes what the adapted one does.

        Args:
            params: of the adapted model, by path.

        Raises:
            T5MixError: what the policy adds cannot be merged into the model's own parameters, which is the default.
        """
        raise T5MixError(
            f"What the policy {POLICIES.kind_of(self)!r} adds cannot be merged into the model's own parameters, as "
            "low-rank corrections (lora) and scales (ia3) can."
        )

    def in_bank(self, model: Any, rngs: Any, layout: "BankLayout") -> Any:
        """Returns the model with the modules of all tasks where `adapt` adds one; not possible by default."""
        raise NotImplementedError(f"{type(self).__name__} defines no in_bank")

    def check_in_bank(self) -> None:
        """Refuses a policy that no bank can hold: by default one that does not define `in_bank`.

        Raises:
            ValueError: it is one, or has settings with which no bank can hold it.
        """
        if type(self).in_bank is FineTuningPolicy.in_bank:
            fitting = sorted(kind for kind, cls in POLICIES.items() if cls.in_bank is not FineTuningPolicy.in_bank)
            raise ValueError(
                f"finetuning.policy is {POLICIES.kind_of(self)!r}, which adds nothing that a task could have of its "
                f"own. Choose one of {', '.join(fitting)}"
            )

    def bind(self, tasks: Sequence[str], previous: "FineTuningPolicy | None" = None) -> "BoundPolicy":
        """Returns the policy bound to a run's tasks.

        Args:
            tasks: the run's tasks, in the order of task ids.
            previous: the policy of the checkpoint that the run starts from or continues. A bank goes on to hold the
                tasks that it has there.

        Raises:
            T5MixError: the policy is for other tasks, or does not go on from the previous one.
        """
        return BoundPolicy(self.for_tasks(tasks, previous), tuple(tasks))

    def bind_for_shapes(
        self, names: Sequence[str] = ("any",), previous: "FineTuningPolicy | None" = None
    ) -> "BoundPolicy":
        """Returns the policy bound before a run's data says what its tasks are.

        That is enough to know which modules the model has and what of them trains.

        Args:
            names: stand in for the tasks, unless a bank has tasks already.
            previous: see `bind`.
        """
        return self.bind((self.bank and self.bank.tasks) or names, previous)

    def bind_for_inference(self) -> "BoundPolicy":
        """Returns a policy that a checkpoint holds, bound to all tasks that it holds, frozen ones too."""
        return (self if self.bank is None else self.bank.for_inference()).bind_for_shapes()


@dataclasses.dataclass(frozen=True)
class BoundPolicy:
    """A fine-tuning policy and its run's tasks. All of a run asks this one object.

    Attributes:
        policy: the policy, with the tasks filled in where it depends on them.
        tasks: the run's tasks, in the order of task ids.
    """

    policy: FineTuningPolicy
    tasks: tuple[str, ...]

    @property
    def num_tasks(self) -> int:
        """Number of tasks."""
        return len(self.tasks)

    @property
    def patterns(self) -> tuple[str, ...]:
        """See `FineTuningPolicy.patterns`."""
        return self.policy.patterns

    @property
    def prompt_length(self) -> int:
        """See `FineTuningPolicy.prompt_length`."""
        return self.policy.prompt_length

    @property
    def bank(self) -> "PerTask | None":
        """See `FineTuningPolicy.bank`."""
        return self.policy.bank

    def adapt(self, model: Any, rngs: Any) -> Any:
        """See `FineTuningPolicy.adapt`."""
        return self.policy.adapt(model, rngs)

    def unfreeze_step(self, path: str, run: RunShape) -> int | None:
        """See `FineTuningPolicy.unfreeze_step`."""
        return self.policy.unfreeze_step(path, run)

    def learning_rate_scale(self, path: str, run: RunShape) -> float:
        """See `FineTuningPolicy.learning_rate_scale`."""
        return self.policy.learning_rate_scale(path, run)


POLICIES: Registry[FineTuningPolicy] = Registry("fine-tuning policy", base=FineTuningPolicy)
