from pathlib import Path
from typing import Any

import numpy as np
import pytest

from t5mix.config.compose import parse_choice
from t5mix.config.reading import strategy_from_dict
from t5mix.data.manifest import DataManifest, StoreEntry, TaskEntry, shard_path
from t5mix.data.packing import BatchShape
from t5mix.data.pipeline import task_data, training_batches
from t5mix.mixing import (
    ODM,
    AnnealedTemperature,
    Capped,
    DoReMi,
    Equal,
    Fixed,
    LossGap,
    MixingStrategy,
    PhasedMixing,
    PriorODM,
    Proportional,
    Temperature,
    TwoPhase,
    UniMax,
)
from t5mix.mixing.budget import estimate_budget, read_task_sizes
from t5mix.mixing.forecast import MixtureData, compare_strategies, forecast, label

SHAPE = BatchShape(rows=8, inputs=16, targets=8)


@pytest.fixture
def data(tmp_path: Path, tiny: Any) -> MixtureData:
    return MixtureData(tiny.make_manifest(tmp_path, sizes={"copy": 300, "first": 100}), SHAPE)


def test_proportions_and_rates_are_the_strategys(data: MixtureData):
    found = forecast(data, Proportional(max_examples=200), 10)
    assert [(task.name, task.size, task.rate) for task in found.tasks] == [("copy", 300, 200), ("first", 100, 100)]
    assert [task.proportion for task in found.tasks] == pytest.approx([2 / 3, 1 / 3])


def test_expectations_are_near_what_a_run_draws(data: MixtureData):
    steps = 40
    found = forecast(data, Proportional(), steps)
    tasks = [task_data(entry) for entry in data.manifest.tasks]
    batches = training_batches(tasks, SHAPE, seed=0, proportions=lambda step: np.asarray([0.75, 0.25]))
    counts = [next(batches).counts for _ in range(steps)]
    examples = np.sum([count.examples for count in counts], axis=0)
    tokens = np.sum([count.input_tokens + count.target_tokens for count in counts], axis=0)
    assert found.examples_per_step * steps == pytest.approx(examples.sum())
    for task, drawn, of_tokens in zip(found.tasks, examples, tokens, strict=True):
        assert task.examples == pytest.approx(drawn, rel=0.15)
        assert task.tokens == pytest.approx(of_tokens, rel=0.15)
        assert task.epochs == pytest.approx(task.examples / task.size)
    assert found.inputs_filled == pytest.approx(sum(c.input_tokens.sum() for c in counts) / (steps * 8 * 16))
    assert found.targets_filled == pytest.approx(sum(c.target_tokens.sum() for c in counts) / (steps * 8 * 8))


def test_a_long_run_is_extrapolated(data: MixtureData):
    short, long = forecast(data, Proportional(), 100), forecast(data, Proportional(), 100_000)
    assert (long.planned_steps, long.steps) == (100, 100_000)
    assert long.tasks[0].examples == pytest.approx(1000 * short.tasks[0].examples)


@pytest.mark.parametrize("strategy", [Proportional(), UniMax(max_epochs=2), AnnealedTemperature()])
def test_what_is_shown_is_what_training_expects(data: MixtureData, strategy: MixingStrategy):
    sizes = read_task_sizes(data.manifest, strategy, data.unit)
    expected = estimate_budget(data.manifest, strategy, sizes, SHAPE, steps=150, seed=data.seed)
    shown = forecast(data, strategy, 150)
    assert [task.examples for task in shown.tasks] == pytest.approx(expected.examples.tolist())


def with_task(data: MixtureData, entry: TaskEntry) -> MixtureData:
    return MixtureData(DataManifest(data.manifest.request, data.manifest.vocabulary, (entry,)), SHAPE)


def test_a_random_task_is_judged_by_its_first_epoch(tmp_path: Path, data: MixtureData, tiny: Any):
    store = tiny.make_store(shard_path(tmp_path / "r", 0), tiny.make_examples("copy", 20, 0))
    entry = TaskEntry("r", True, {"train": StoreEntry(str(tmp_path / "r"), "f", store.counts)})
    found = forecast(with_task(data, entry), Proportional(), 5)
    assert found.tasks[0].proportion == 1
    assert found.tasks[0].examples == found.examples_per_step * 5


def test_truncation_is_shown(tmp_path: Path, data: MixtureData, tiny: Any):
    long = [(np.arange(30), np.arange(3))] * 2 + [(np.arange(5), np.arange(3))] * 6
    store = tiny.make_store(tmp_path / "cut", long)
    entry = TaskEntry("t", False, {"train": StoreEntry(str(tmp_path / "cut"), "f", store.counts)})
    assert forecast(with_task(data, entry), Proportional(), 2).tasks[0].truncated == 0.25


def test_each_strategy_is_forecast_on_the_same_data(data: MixtureData):
    found = compare_strategies(data, {"even": Equal(), "sized": Proportional()}, 20)
    assert [task.proportion for task in found.forecasts["even"].tasks] == pytest.approx([0.5, 0.5])
    assert found.forecasts["sized"] == forecast(data, Proportional(), 20)


def test_the_curves_run_from_proportional_to_equal(data: MixtureData):
    found = compare_strategies(data, {"": Equal()}, 5)
    by_temperature, by_max_examples = found.by_temperature, found.by_max_examples
    assert by_temperature.setting[[0, -1]].tolist() == [1, np.inf]
    assert by_temperature.setting[-2] == pytest.approx(100)
    assert by_temperature.proportions[0] == pytest.approx([0.75, 0.25])
    assert by_temperature.proportions[-1] == pytest.approx([0.5, 0.5])
    assert by_max_examples.setting[[0, -1]].tolist() == [100, 300]
    assert by_max_examples.proportions[0] == pytest.approx([0.5, 0.5])
    assert by_max_examples.proportions[-1] == pytest.approx([0.75, 0.25])


@pytest.mark.parametrize(
    ("strategy", "changes", "adaptive"),
    [
        (Temperature(), False, False),
        (UniMax(), False, False),
        (Capped(strategy=Equal(), max_epochs=1), False, False),
        (AnnealedTemperature(), True, False),
        (TwoPhase(), True, False),
        (PhasedMixing(strategies=(PriorODM(), Equal()), starts=(0, 0.5)), True, True),
        (PriorODM(), False, True),
        (LossGap(), False, True),
        (ODM(warmup=0.5), True, True),
        (Capped(strategy=PriorODM(), max_epochs=9), False, True),
        (DoReMi(reference="nowhere"), False, False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, MixingStrategy) else None,
)
def test_what_moves_the_proportions_is_told(data: MixtureData, strategy: MixingStrategy, changes: bool, adaptive: bool):
    found = compare_strategies(data, {"": strategy}, 40).forecasts[""]
    assert (found.changes, found.adaptive) == (changes, adaptive)


def test_proportions_that_change_have_a_beginning_and_an_end(data: MixtureData):
    strategy = AnnealedTemperature(anneal_until=0.5)
    found = compare_strategies(data, {"": strategy}, 100).forecasts[""]
    copy, first = found.tasks
    assert (copy.first, first.first) == pytest.approx((0.5, 0.5))
    assert (copy.last, first.last) == pytest.approx((0.75, 0.25))
    assert copy.first < copy.proportion < copy.last


@pytest.mark.parametrize(
    ("strategy", "text"),
    [
        (Equal(), "equal"),
        (Temperature(temperature=4.0, max_examples=65536), "temperature:temperature=4.0,max_examples=65536"),
        (AnnealedTemperature(initial_temperature=8.0), "annealed_temperature:initial_temperature=8.0"),
        (Capped(strategy=Temperature(max_examples=9)), "capped:strategy={kind:temperature,max_examples:9}"),
        (Capped(strategy=Equal(), budget=10.0), "capped:strategy={kind:equal},budget=10.0"),
        (Fixed(task_weights={"a": 1.0, "b": 2.5}), "fixed:task_weights={a:1.0,b:2.5}"),
        (
            PhasedMixing(strategies=(Equal(), PriorODM(eta=0.1)), starts=(0, 0.5)),
            "phases:strategies=[{kind:equal},{kind:odm_prior,eta:0.1}],starts=[0,0.5]",
        ),
    ],
)
def test_a_label_is_what_the_command_line_takes(strategy: MixingStrategy, text: str):
    assert label(strategy) == text
    assert strategy_from_dict(parse_choice(text)) == strategy
