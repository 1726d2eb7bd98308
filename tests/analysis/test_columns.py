"""The columns of a sweep give the paper's averages: a task's metrics are averaged first, then the two MNLI sets."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from t5mix.analysis.scores import Study, TaskScores
from t5mix.analysis.statistics import Resampled
from t5mix.sweep.reported_metrics import reported_metrics
from t5mix.sweep.spec import Sweep, read_sweep

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
MNLI = ["glue_mnli_matched", "glue_mnli_mismatched"]

Scores = Mapping[str, Mapping[str, float]]


def sweep_with_column(scores: Scores, tasks: list[Any]) -> Sweep:
    return read_sweep(
        {
            "name": "s",
            "config": "c",
            "methods": {"a": {}},
            "metrics": {task: list(metrics) for task, metrics in scores.items()},
            "columns": {"A": {"tasks": tasks}},
        }
    )


def column_value(sweep: Sweep, scores: Scores) -> float:
    values = {
        task: np.mean([metrics[name] for name in reported_metrics(sweep, task, metrics)])
        for task, metrics in scores.items()
    }
    study = Study(
        ("a",), (0,), {task: TaskScores.of_means(np.full((1, 1, 1), value)) for task, value in values.items()}
    )
    return Resampled(study, {}).mean("a", sweep.columns["A"].weights).value


@pytest.mark.parametrize(
    ("scores", "tasks", "expected"),
    [
        (GLUE_SCORES, [*(task for task in GLUE_SCORES if task not in MNLI), MNLI], 83.28),
        (SUPER_GLUE_SCORES, list(SUPER_GLUE_SCORES), 71.36),
    ],
)
def test_the_papers_subscores_give_the_papers_averages(scores: Scores, tasks: list[Any], expected: float):
    sweep = sweep_with_column(scores, tasks)
    assert sum(sweep.columns["A"].weights.values()) == pytest.approx(8)
    assert round(column_value(sweep, scores), 2) == expected
    assert column_value(sweep, dict(reversed(scores.items()))) == pytest.approx(column_value(sweep, scores))


def test_what_a_column_does_not_count_changes_nothing():
    tasks = [*(task for task in GLUE_SCORES if task not in MNLI), MNLI]
    sweep = sweep_with_column(GLUE_SCORES, tasks)
    more = {**GLUE_SCORES, **SUPER_GLUE_SCORES, "glue_rte": {"accuracy": 76.28, "f1": 0.0}, "wnli": {"accuracy": 0.0}}
    assert column_value(sweep, more) == pytest.approx(column_value(sweep, GLUE_SCORES))


def test_a_tasks_metrics_are_averaged_before_tasks_are():
    scores = {"a": {"x": 0.0, "y": 10.0, "z": 20.0}, "b": {"x": 30.0}}
    assert column_value(sweep_with_column(scores, ["a", "b"]), scores) == 20.0
