"""The rows of the contracts: one instance of everything that is registered."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from t5mix.finetuning import POLICIES
from t5mix.mixing import STRATEGIES, DoReMi, Equal, Fixed, PhasedMixing, PriorODM
from t5mix.plugins import import_plugins

Make = Callable[[Mapping[str, int]], Any]

SETTINGS: dict[str, Make] = {
    "fixed": lambda sizes: Fixed(task_weights={name: i + 1.0 for i, name in enumerate(sorted(sizes))}),
    "phases": lambda sizes: PhasedMixing(strategies=(Equal(), PriorODM()), starts=(0, 0.5)),
    "doremi": lambda sizes: DoReMi(reference="runs/reference"),
}
"""Strategies that need settings, for tasks of given sizes; all others are tried as they are."""


PLUGIN = '''
from collections.abc import Mapping

from t5mix.mixing import STRATEGIES
from t5mix.configurable import configurable
from t5mix.mixing.base import MixingBudget, MixingStrategy, TaskFeedback, check_sizes, normalized


@STRATEGIES.register("least_seen")
@configurable
class LeastSeen(MixingStrategy):
    """Favours the tasks that have been drawn least, measured by their size."""

    strength: float = 1.0

    def init(self, sizes: Mapping[str, int], budget: MixingBudget) -> dict:
        check_sizes(sizes)
        return {"sizes": dict(sizes), "seen": dict.fromkeys(sizes, 1.0)}

    def proportions(self, state: dict, step: int) -> dict[str, float]:
        epochs = {name: state["seen"][name] / size for name, size in state["sizes"].items()}
        return normalized({name: epoch**-self.strength for name, epoch in epochs.items()})

    def observe(self, state: dict, feedback: Mapping[str, TaskFeedback]) -> dict:
        drawn = {name: feedback[name].amount if name in feedback else 0.0 for name in state["seen"]}
        return {**state, "seen": {name: seen + drawn[name] for name, seen in state["seen"].items()}}
'''


POLICY_PLUGIN = '''
from flax import nnx
import jax.numpy as jnp

from t5mix.finetuning import POLICIES, FineTuningPolicy
from t5mix.model.blocks import Residual
from t5mix.configurable import configurable


class Scaled(Residual):
    """Adds as much of a sublayer's output as it has learned to."""

    def __init__(self):
        self.plugged_in = nnx.Param(jnp.ones((1,), jnp.float32))

    def __call__(self, hidden, update, context):
        return hidden + update * self.plugged_in[...].astype(update.dtype)


@POLICIES.register("scaled_sublayers")
@configurable
class ScaledSublayers(FineTuningPolicy):
    """Scales of the feed-forward sublayers train, and the decoder's joins them after a quarter of the run."""

    def adapt(self, model, rngs):
        for block in (*model.encoder.blocks, *model.decoder.blocks):
            block.feed_forward_adapter = Scaled()
        return model

    def unfreeze_step(self, path, run):
        if path.endswith("/plugged_in"):
            return 0
        return run.steps // 4 if path.startswith("decoder/") else None

    def learning_rate_scale(self, path, run):
        return 0.5
'''
"""A policy with a module of its own, and with a phase."""


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Imports a user's module by `plugins`; what it registers is forgotten afterwards."""

    def load(source: str) -> None:
        (tmp_path / "plugin_of_the_contracts.py").write_text(source, encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "path", list(sys.path))
        for registry in (STRATEGIES, POLICIES):
            monkeypatch.setattr(registry, "_classes", dict(registry._classes))
        import_plugins(("plugin_of_the_contracts",), without_tensorflow=True)
        del sys.modules["plugin_of_the_contracts"]

    return load


@pytest.fixture(params=[*sorted(STRATEGIES), "least_seen"])
def make(request: pytest.FixtureRequest, plug_in: Callable[[str], None]) -> Make:
    """Makes each registered strategy, and one from a user's module."""
    if request.param == "least_seen":
        plug_in(PLUGIN)
    return SETTINGS.get(request.param, lambda sizes: STRATEGIES[request.param]())


POLICY_SETTINGS: dict[str, dict[str, Any]] = {"per_task": {"tasks": ("first", "second")}}
"""What a policy must be told before it can adapt a model."""


@pytest.fixture(params=[*sorted(POLICIES), "scaled_sublayers"])
def policy(request: pytest.FixtureRequest, plug_in: Callable[[str], None]) -> Any:
    """Each registered policy with its default settings, and one from a user's module."""
    if request.param == "scaled_sublayers":
        plug_in(POLICY_PLUGIN)
    return POLICIES[request.param](**POLICY_SETTINGS.get(request.param, {}))
