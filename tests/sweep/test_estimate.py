"""What a sweep is expected to take."""

import pytest

from t5mix.sweep.estimate import estimate_sweep
from t5mix.sweep.executors import CoresPerRun
from t5mix.sweep.plan import SweepPlanner, plan_trials
from t5mix.sweep.spec import read_sweep


def test_time_and_disk_follow_from_steps_and_sizes():
    def expected(steps: int, at_once: int = 1, **changes: object):
        settings = [
            "mixture=[copy]",
            "model.vocab_size=1000",
            f"training.steps={steps}",
            "training.max_checkpoints_to_keep=2",
        ]
        planner = SweepPlanner(read_sweep({"name": "s", "config": "experiment", "settings": settings, **changes}))
        return estimate_sweep(planner, plan_trials(planner), CoresPerRun(1, 2), at_once)

    methods = {"full": {}, "norms": {"runs": [["finetuning=layer_norms"]]}}
    few = expected(1000, methods=methods, seeds=[0, 1])
    assert (few.runs, few.steps) == (4, 4000)
    many = expected(2000, methods=methods, seeds=[0, 1])
    starting = 4 * 40.0
    assert many.seconds - starting == pytest.approx(2 * (few.seconds - starting))
    assert expected(1000, 2, methods=methods, seeds=[0, 1]).seconds == pytest.approx(few.seconds / 2)
    assert few.disk_bytes == many.disk_bytes
    # AdamW's two moments beside the parameters, in float32, in two checkpoints of four runs
    assert few.disk_bytes / (3 * 4 * 2 * 4) == pytest.approx(300_000, rel=0.3)
    shared = expected(1000, methods=methods, seeds=[0, 1], shared_runs=[["training.steps=1000"]])
    assert shared.runs == 5
    assert shared.seconds > few.seconds
