"""What a fine-tuning policy is."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from t5mix.errors import T5MixError
from t5mix.registry import Registry


@dataclasses.dataclass(frozen=True)
class RunShape:
    """All that a fine-tuning policy's schedule may depend on.

    Attributes:
        steps: number of updates in the run, counted from its starting checkpoint.
        model: the model's configuration (`t5mix.model.config.T5Config`), for the depth of each stack.
    """

    steps: int
    model: Any


@runtime_checkable
class FineTuningPolicy(Protocol):
    """A rule for what of a model trains. The engine asks these questions and never which policy it is.

    Implementations are frozen dataclasses, made with `t5mix.configurable.configurable` and registered in `POLICIES`.
    """

    def adapt(self, model: Any, rngs: Any) -> Any:
        """Returns the model with the policy's own modules added, or as it is."""
        ...

    def unfreeze_step(self, path: str, run: RunShape) -> int | None:
        """Returns the step from which the parameter at `path` trains: 0 always, None never."""
        ...

    def learning_rate_scale(self, path: str, run: RunShape) -> float:
        """Returns the factor on the learning rate of the parameter at `path`."""
        ...


POLICIES: Registry[FineTuningPolicy] = Registry("fine-tuning policy", base=FineTuningPolicy)


# What a policy may offer besides: asked for here and nowhere else.


def patterns_of(policy: FineTuningPolicy) -> tuple[str, ...]:
    """Returns a policy's patterns for parameters (its `patterns`), each of which must match one; none by default."""
    return getattr(policy, "patterns", ())


def prompt_length_of(policy: FineTuningPolicy) -> int:
    """Returns how many positions before each example's inputs a policy takes (its `prompt_length`); 0 by default."""
    return getattr(policy, "prompt_length", 0)


def for_tasks(
    policy: FineTuningPolicy, tasks: Sequence[str], before: FineTuningPolicy | None = None
) -> FineTuningPolicy:
    """Returns the policy for a run on some tasks (its `for_tasks`); by default it is the same for all.

    Args:
        policy: as it was configured.
        tasks: the run's tasks, in the order of task ids.
        before: the policy of the checkpoint that the run starts from, for those tasks that it goes on to hold.
    """
    return policy.for_tasks(tasks, before) if hasattr(policy, "for_tasks") else policy  # type: ignore[attr-defined]


def merged(policy: FineTuningPolicy, params: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the parameters of the plain model that computes what the adapted one does (the policy's `merged`).

    Args:
        policy: what adapted it.
        params: of the adapted model, by path.

    Raises:
        T5MixError: what the policy adds cannot be merged into the model's own parameters.
    """
    if not hasattr(policy, "merged"):
        raise T5MixError(
            f"What the policy {POLICIES.kind_of(policy)!r} adds cannot be merged into the model's own parameters, as "
            "low-rank corrections (lora) and scales (ia3) can."
        )
    return policy.merged(params)  # type: ignore[attr-defined]
