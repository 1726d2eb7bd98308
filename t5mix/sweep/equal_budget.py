"""How many steps each method gets, where methods are to get equally much of something else than steps."""

from collections.abc import Mapping

from t5mix.errors import T5MixError


def equal_steps(configured: Mapping[str, int], per_step: Mapping[str, float], of: str) -> dict[str, int]:
    """Returns the steps of each method that take as much as the configured steps of one of them.

    Args:
        configured: the steps of each method as configured.
        per_step: what a step of each takes.
        of: the method that says how much.

    Raises:
        T5MixError: a method would get no step at all.
    """
    amount = configured[of] * per_step[of]
    steps = {name: round(amount / per_step[name]) for name in configured}
    for name, count in steps.items():
        if count < 1:
            raise T5MixError(
                f"budget: a step of {name!r} takes {per_step[name]:.3g}, more than all steps of {of!r} ({amount:.3g})."
            )
    return steps
