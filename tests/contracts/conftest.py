"""The rows of the contracts: one instance of everything that is registered."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from t5mix.mixing import STRATEGIES, DoReMi, Equal, Fixed, Phases, PriorODM

Make = Callable[[Mapping[str, int]], Any]

SETTINGS: dict[str, Make] = {
    "fixed": lambda sizes: Fixed(task_weights={name: i + 1.0 for i, name in enumerate(sorted(sizes))}),
    "phases": lambda sizes: Phases(strategies=(Equal(), PriorODM()), starts=(0, 0.5)),
    "doremi": lambda sizes: DoReMi(reference="runs/reference"),
}
"""Strategies that need settings, for tasks of given sizes; all others are tried as they are."""


@pytest.fixture(params=sorted(STRATEGIES))
def make(request: pytest.FixtureRequest) -> Make:
    """Makes each registered strategy."""
    return SETTINGS.get(request.param, lambda sizes: STRATEGIES[request.param]())
