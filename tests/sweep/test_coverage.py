"""Whether intervals and tests keep their promises, by simulation; benchmarks/statistics_coverage.py says it finer."""

import numpy as np
import pytest
from scipy import stats

from t5mix.analysis.scores import Study, TaskScores
from t5mix.analysis.statistics import resample


def f1(sums: np.ndarray) -> np.ndarray:
    return 2 * sums[..., 0] / (2 * sums[..., 0] + sums[..., 1] + sums[..., 2])


def right(generator: np.random.Generator, seeds: int, examples: int, ratio: float, shared: float = 0.7) -> np.ndarray:
    """Right or wrong of two equal methods, 78.8 % in the long run; [2, seeds, examples]."""

    def normal(*shape: int) -> np.ndarray:
        own = generator.standard_normal((2, *shape))
        return np.sqrt(shared) * generator.standard_normal(shape) + np.sqrt(1 - shared) * own

    of_seeds = ratio * 0.6 / examples
    score = np.sqrt(of_seeds) * normal(seeds, 1) + np.sqrt(0.6) * normal(1, examples)
    return score + np.sqrt(0.4) * normal(seeds, examples) + 0.8 * np.sqrt(1 + of_seeds) > 0


@pytest.mark.parametrize(("seeds", "ratio"), [(3, 0.1), (3, 10.0), (5, 1.0), (10, 3.0)])
@pytest.mark.parametrize("metric", ["accuracy", "f1"])
def test_intervals_hold_the_truth_as_often_as_they_say(seeds: int, ratio: float, metric: str):
    """95 % intervals hold it in 93 % of studies or more, up to three standard errors of the simulation; not always."""
    generator, studies, examples = np.random.default_rng(seeds), 400, 80
    hit = float(stats.norm.cdf(0.8))
    true = hit if metric == "accuracy" else 2 * 0.4 * hit / (2 * 0.4 * hit + 1 - hit)
    held = np.zeros((studies, 2), bool)
    for number in range(studies):
        answers = right(generator, seeds, examples, ratio)
        positive = generator.random(examples) < 0.4
        rows = np.stack([answers & positive, ~answers & positive, ~answers & ~positive], axis=-1)
        scores = TaskScores(f1, rows) if metric == "f1" else TaskScores.of_means(answers)
        resampled = resample(Study(("a", "b"), tuple(range(seeds)), {"task": scores}), 200, seed=number)
        held[number, 0] = (resampled.mean("a").p_value(true) or 0.0) >= 0.05
        held[number, 1] = (resampled.difference("a", "b").p_value(0.0) or 0.0) >= 0.05
    assert (held.mean(axis=0) > 0.93 - 3 * np.sqrt(0.05 * 0.95 / studies)).all()
    assert (held.mean(axis=0) < 0.995).all()


def test_the_smallest_effect_is_detected_about_as_often_as_it_says():
    generator, estimates = np.random.default_rng(3), []
    for number in range(300):
        scores = TaskScores.of_means(right(generator, seeds=5, examples=100, ratio=3.0))
        study = Study(("a", "b"), (0, 1, 2, 3, 4), {"task": scores})
        estimates.append(resample(study, 200, seed=number).difference("a", "b"))
    effect = float(np.mean([each.smallest_effect() or 0.0 for each in estimates]))
    detected = [(each.p_value(-effect) or 0.0) < 0.05 for each in estimates]
    assert 0.7 < np.mean(detected) < 0.9
