"""What a fine-tuning policy is."""

from typing import Any, Protocol, runtime_checkable

from t5mix.registry import Registry
from t5mix.types import RunShape


@runtime_checkable
class FineTuningPolicy(Protocol):
    """A rule for what of a model trains. The engine asks these questions and never which policy it is.

    Implementations are frozen dataclasses, made with `t5mix.types.config` and registered in `POLICIES`.
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


POLICIES: Registry[FineTuningPolicy] = Registry("fine-tuning policy")
