import json
import math

import numpy as np

from t5mix.tracking.task_totals import TaskTotals


def test_totals_merge_exactly_however_they_are_grouped():
    parts = np.random.default_rng(0).uniform(1, 5, size=(100, 2)).astype(np.float32)
    one, two = TaskTotals.zeros(2), TaskTotals.zeros(2)
    for part in parts:
        one.add(cross_entropy=part, loss_tokens=np.ones(2))
    for part in parts[:37]:
        two.add(cross_entropy=part, loss_tokens=np.ones(2))
    two = TaskTotals.from_json(json.loads(json.dumps(two.to_json())))  # what a checkpoint does
    for part in parts[37:]:
        two.add(cross_entropy=part, loss_tokens=np.ones(2))
    np.testing.assert_array_equal(one.cross_entropy, two.cross_entropy)
    np.testing.assert_allclose(one.loss(), parts.mean(0), rtol=1e-6)


def test_a_mean_of_nothing_is_not_a_number():
    totals = TaskTotals.zeros(2)
    totals.add(cross_entropy=[2.0, 0.0], correct=[1, 0], loss_tokens=[4, 0])
    assert totals.loss()[0] == 0.5
    assert totals.accuracy()[0] == 0.25
    assert math.isnan(totals.loss()[1])
