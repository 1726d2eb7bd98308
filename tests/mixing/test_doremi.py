import math

import pytest

from t5mix.mixing import DoReMi
from t5mix.mixing.base import MixingBudget, TaskFeedback

BUDGET = MixingBudget(10, 100.0)


def excess(**means: float) -> dict[str, TaskFeedback]:
    return {name: TaskFeedback(9.0, 10.0, 2, 2, 0.5, excess_sum=10 * mean) for name, mean in means.items()}


def test_it_matches_the_algorithm_by_hand():
    strategy = DoReMi(reference="run", eta=1.0, smoothing=1e-3)
    state = strategy.init({"a": 5, "b": 50}, BUDGET)
    assert strategy.proportions(state, 0) == strategy.loss_weights(state, 0) == {"a": 0.5, "b": 0.5}
    alphas, total = {"a": 0.5, "b": 0.5}, {"a": 0.0, "b": 0.0}
    for means in ({"a": 1.0, "b": 0.2}, {"a": 0.5}, {"a": 0.0, "b": 0.1}):
        state = strategy.observe(state, excess(**means))
        raised = {name: alphas[name] * math.exp(means.get(name, 0.0)) for name in alphas}
        alphas = {name: 0.999 * value / sum(raised.values()) + 0.001 / 2 for name, value in raised.items()}
        total = {name: total[name] + alphas[name] for name in alphas}
    assert strategy.loss_weights(state, 3) == pytest.approx(alphas, abs=1e-12)
    assert strategy.proportions(state, 3) == {"a": 0.5, "b": 0.5}  # draws stay equal
    assert strategy.outcome(state) == pytest.approx({name: value / 3 for name, value in total.items()}, abs=1e-12)


def test_before_the_first_step_the_outcome_is_equal():
    strategy = DoReMi(reference="run")
    assert strategy.outcome(strategy.init({"a": 5, "b": 50}, BUDGET)) == {"a": 0.5, "b": 0.5}


def test_huge_excess_losses_do_not_overflow():
    strategy = DoReMi(reference="run", eta=100.0)
    state = strategy.observe(strategy.init({"a": 5, "b": 50}, BUDGET), excess(a=1e4, b=0.0))
    assert strategy.loss_weights(state, 1) == pytest.approx({"a": 0.9995, "b": 0.0005})


def test_without_a_reference_model_it_says_so():
    strategy = DoReMi(reference="run")
    state = strategy.init({"a": 5}, BUDGET)
    with pytest.raises(ValueError, match="needs a run with a reference model"):
        strategy.observe(state, {"a": TaskFeedback(1.0, 1.0, 1)})


@pytest.mark.parametrize("settings", [{"eta": 0.0}, {"eta": math.nan}, {"smoothing": 0.0}, {"smoothing": 1.5}])
def test_impossible_settings_are_refused(settings: dict[str, float]):
    with pytest.raises(ValueError, match=r"mixing\.(eta|smoothing) is"):
        DoReMi(reference="run", **settings)
