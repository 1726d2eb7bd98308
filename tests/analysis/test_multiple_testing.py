import itertools

import numpy as np
import pytest

from t5mix.analysis.multiple_testing import holm
from t5mix.errors import T5MixError


@pytest.mark.parametrize(
    ("p_values", "corrected"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.02, 0.02, 0.02], [0.06, 0.06, 0.06]),
        ([0.001, 0.9, 0.8], [0.003, 1.0, 1.0]),
        ([0.3], [0.3]),
        ([], []),
    ],
)
def test_holm_by_hand(p_values: list[float], corrected: list[float]):
    assert holm(p_values) == pytest.approx(corrected)


def test_holm_is_the_closed_test_of_bonferronis():
    """A hypothesis falls if all sets that it is in fall; a set falls if its smallest p value, times its size, does."""
    generator = np.random.default_rng(0)
    for size in (2, 3, 5):
        p_values = [float(p) for p in generator.random(size) ** 3]
        sets = [s for n in range(1, size + 1) for s in itertools.combinations(range(size), n)]
        closed = [max(min(1, len(s) * min(p_values[i] for i in s)) for s in sets if one in s) for one in range(size)]
        assert holm(p_values) == pytest.approx(closed)


def test_holm_refuses_what_is_no_p_value():
    for wrong in (float("nan"), -0.1, 1.1):
        with pytest.raises(T5MixError, match="between 0 and 1"):
            holm([0.5, wrong])
