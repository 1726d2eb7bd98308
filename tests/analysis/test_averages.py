"""Averages over tasks, against the paper's."""

import numpy as np
import pytest

from t5mix.analysis.averages import GLUE, SUPER_GLUE, average
from t5mix.analysis.scores import Study, TaskScores
from t5mix.analysis.statistics import Resampled
from t5mix.errors import T5MixError, UnknownNameError
from t5mix.sweep.reported_metrics import reported_metrics
from t5mix.sweep.spec import read_sweep

# Raffel et al. 2020, Table 16, the baseline.
GLUE_SCORES = {
    "glue_cola": {"matthews": 53.84},
    "glue_sst2": {"accuracy": 92.68},
    "glue_mrpc": {"f1": 92.07, "accuracy": 88.92},
    "glue_stsb": {"pearson": 88.02, "spearman": 87.94},
    "glue_qqp": {"f1": 88.67, "accuracy": 91.56},
    "glue_mnli_matched": {"accuracy": 84.24},
    "glue_mnli_mismatched": {"accuracy": 84.57},
    "glue_qnli": {"accuracy": 90.48},
    "glue_rte": {"accuracy": 76.28},
}
SUPER_GLUE_SCORES = {
    "super_glue_boolq": {"accuracy": 76.62},
    "super_glue_cb": {"macro_f1": 91.22, "accuracy": 91.96},
    "super_glue_copa": {"accuracy": 66.20},
    "super_glue_multirc": {"f1": 66.13, "group_exact_match": 25.78},
    "super_glue_record": {"f1": 69.05, "em": 68.16},
    "super_glue_rte": {"accuracy": 75.34},
    "super_glue_wic": {"accuracy": 68.04},
    "super_glue_wsc": {"accuracy": 78.56},
}


def test_the_papers_subscores_give_the_papers_averages():
    assert round(GLUE.average(GLUE_SCORES), 2) == 83.28
    assert round(SUPER_GLUE.average(SUPER_GLUE_SCORES), 2) == 71.36
    assert round(average(SUPER_GLUE_SCORES), 2) == 71.36


def test_what_a_benchmark_does_not_count_changes_nothing():
    more = {
        **GLUE_SCORES,
        **SUPER_GLUE_SCORES,
        "glue_rte": {"accuracy": 76.28, "f1": 0.0},
        "wnli": {"accuracy": np.nan},
    }
    assert GLUE.average(more) == GLUE.average(GLUE_SCORES)
    assert GLUE.average(dict(reversed(GLUE_SCORES.items()))) == GLUE.average(GLUE_SCORES)


@pytest.mark.parametrize(("benchmark_", "scores"), [(GLUE, GLUE_SCORES), (SUPER_GLUE, SUPER_GLUE_SCORES)])
def test_weights_give_the_same_average(benchmark_, scores):
    weights = benchmark_.weights()
    assert weights.keys() == scores.keys()
    assert sum(weights.values()) == pytest.approx(1)
    weighted = sum(weight * np.mean(list(scores[task].values())) for task, weight in weights.items())
    assert weighted == pytest.approx(benchmark_.average(scores))


@pytest.mark.parametrize(
    ("benchmark_", "scores", "expected"), [(GLUE, GLUE_SCORES, 83.28), (SUPER_GLUE, SUPER_GLUE_SCORES, 71.36)]
)
def test_a_sweep_can_say_a_benchmark_as_a_column(benchmark_, scores, expected):
    tasks = [list(dict.fromkeys(task for task, _ in values)) for values in benchmark_.parts.values()]
    sweep = read_sweep(
        {
            "name": "s",
            "config": "c",
            "methods": {"a": {}},
            "metrics": {task: list(metrics) for task, metrics in scores.items()},
            "columns": {"A": {"tasks": [names if len(names) > 1 else names[0] for names in tasks]}},
        }
    )
    values = {
        task: np.mean([metrics[name] for name in reported_metrics(sweep, task, metrics)])
        for task, metrics in scores.items()
    }
    study = Study(("a",), (0,), {task: TaskScores.of_means(np.full((1, 1, 1), v)) for task, v in values.items()})
    assert study.weights(sweep.columns["A"].weights) == pytest.approx(benchmark_.weights())
    assert round(Resampled(study, {}).mean("a", sweep.columns["A"].weights).value, 2) == expected


def test_a_tasks_metrics_are_averaged_before_tasks_are():
    assert average({"a": {"x": 0.0, "y": 10.0, "z": 20.0}, "b": {"x": 30.0}}) == 20.0


def test_missing_and_undefined_values_are_named():
    without = {task: metrics for task, metrics in GLUE_SCORES.items() if task != "glue_qnli"}
    with pytest.raises(UnknownNameError, match="task 'glue_qnli'"):
        GLUE.average(without)
    with pytest.raises(UnknownNameError, match="metric of the task 'glue_qnli' 'accuracy'"):
        GLUE.average({**without, "glue_qnli": {"f1": 1.0}})
    with pytest.raises(T5MixError, match="'b' are"):
        average({"a": {"x": 1.0}, "b": {"x": float("nan")}})
    with pytest.raises(T5MixError, match="'b' are"):
        average({"a": {"x": 1.0}, "b": {}})
    with pytest.raises(T5MixError, match="no task"):
        average({})
