import json
from pathlib import Path
from typing import Any

import pytest

from t5mix.errors import T5MixError
from t5mix.mixing import Equal, LossGap
from t5mix.mixing.base import MixingBudget, TaskFeedback

SIZES = {"a": 100, "b": 300}
BUDGET = MixingBudget(1000, 5000.0)


def after(strategy: LossGap, **losses: float) -> dict[str, float]:
    state = strategy.init(SIZES, BUDGET)
    feedback = {name: TaskFeedback(10 * loss, 10.0, 5, 5, 0.5) for name, loss in losses.items()}
    return strategy.proportions(strategy.observe(state, feedback), 1)


def test_weights_follow_the_gaps():
    strategy = LossGap(references={"a": 0.5, "b": 1.0}, prior=Equal(), floor=0.0)
    assert after(strategy, a=1.5, b=1.5) == pytest.approx({"a": 2 / 3, "b": 1 / 3})
    squared = LossGap(references={"a": 0.5, "b": 1.0}, prior=Equal(), floor=0.0, power=2.0)
    assert after(squared, a=1.5, b=1.5) == pytest.approx({"a": 4 / 5, "b": 1 / 5})


def test_every_task_keeps_its_floor_of_the_prior():
    strategy = LossGap(references={"a": 0.5, "b": 9.0}, floor=0.2)
    assert after(strategy, a=1.5, b=1.5) == pytest.approx({"a": 0.8 + 0.2 / 4, "b": 0.2 * 3 / 4})


@pytest.mark.parametrize("losses", [{}, {"a": 0.1, "b": 0.2}])
def test_without_gaps_the_prior_holds(losses: dict[str, float]):
    assert after(LossGap(references={"a": 0.5, "b": 9.0}), **losses) == pytest.approx({"a": 0.25, "b": 0.75})


def test_a_task_not_seen_yet_counts_with_the_mean_gap():
    strategy = LossGap(prior=Equal(), floor=0.0)
    assert after(strategy, a=3.0) == pytest.approx({"a": 0.5, "b": 0.5})


def test_references_are_measured_by_a_run_or_read_from_a_file(tmp_path: Path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "result.json").write_text(json.dumps({"best": {"a": {"loss": 0.5, "step": 9}, "b": {"loss": 1.0}}}))
    file = tmp_path / "references.json"
    file.write_text(json.dumps({"references": {"a": 0.5, "b": 1.0}}))
    given = LossGap(references={"a": 0.5, "b": 1.0})
    for place in (run, file):
        strategy = LossGap(references=str(place))
        assert strategy.named_tasks == ("a", "b")
        assert after(strategy, a=1.0, b=3.0) == after(given, a=1.0, b=3.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"references": {"a": -1.0}}, "has -1.0 for a"),
        ({"references": "no/such/run"}, "there is no file no/such/run"),
        ({"floor": 1.5}, "mixing.floor is 1.5"),
        ({"power": -1.0}, "mixing.power is -1.0"),
        ({"smoothing": 1.0}, "mixing.smoothing is 1.0"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        LossGap(**settings)


def test_a_file_without_references_is_refused(tmp_path: Path):
    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(ValueError, match="holds no losses"):
        LossGap(references=str(tmp_path))


def test_references_must_be_those_of_the_mixture():
    with pytest.raises(T5MixError, match="says nothing of b"):
        LossGap(references={"a": 1.0}).init(SIZES, BUDGET)
