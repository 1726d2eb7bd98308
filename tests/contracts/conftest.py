"""The rows of the contracts: one instance of everything that is registered."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from t5mix.experiment import import_plugins
from t5mix.mixing import STRATEGIES, DoReMi, Equal, Fixed, Phases, PriorODM

Make = Callable[[Mapping[str, int]], Any]

SETTINGS: dict[str, Make] = {
    "fixed": lambda sizes: Fixed(task_weights={name: i + 1.0 for i, name in enumerate(sorted(sizes))}),
    "phases": lambda sizes: Phases(strategies=(Equal(), PriorODM()), starts=(0, 0.5)),
    "doremi": lambda sizes: DoReMi(reference="runs/reference"),
}
"""Strategies that need settings, for tasks of given sizes; all others are tried as they are."""


PLUGIN = '''
from collections.abc import Mapping

from t5mix.mixing import STRATEGIES
from t5mix.mixing.base import check_sizes, normalized
from t5mix.types import MixingBudget, TaskFeedback, config


@STRATEGIES.register("least_seen")
@config
class LeastSeen:
    """Favours the tasks that have been drawn least, measured by their size."""

    strength: float = 1.0

    def init(self, sizes: Mapping[str, int], budget: MixingBudget) -> dict:
        check_sizes(sizes)
        return {"sizes": dict(sizes), "seen": dict.fromkeys(sizes, 1.0)}

    def weights(self, state: dict, step: int) -> dict[str, float]:
        epochs = {name: state["seen"][name] / size for name, size in state["sizes"].items()}
        return normalized({name: epoch**-self.strength for name, epoch in epochs.items()})

    def observe(self, state: dict, feedback: Mapping[str, TaskFeedback]) -> dict:
        drawn = {name: feedback[name].amount if name in feedback else 0.0 for name in state["seen"]}
        return {**state, "seen": {name: seen + drawn[name] for name, seen in state["seen"].items()}}
'''


@pytest.fixture(params=[*sorted(STRATEGIES), "least_seen"])
def make(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes each registered strategy, and one from a user's module, forgotten afterwards."""
    if request.param == "least_seen":
        (tmp_path / "plugin_of_the_contracts.py").write_text(PLUGIN, encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "path", list(sys.path))
        monkeypatch.setattr(STRATEGIES, "_classes", dict(STRATEGIES._classes))
        import_plugins(("plugin_of_the_contracts",))
        del sys.modules["plugin_of_the_contracts"]
    return SETTINGS.get(request.param, lambda sizes: STRATEGIES[request.param]())
