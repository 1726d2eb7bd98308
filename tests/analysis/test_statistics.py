"""Intervals and tests over seeds and examples; whether they keep their level is in test_coverage.py."""

from typing import TypeVar

import numpy as np
import pytest
from scipy import stats

from t5mix.analysis.scores import Study, TaskScores
from t5mix.analysis.statistics import Estimate, resample
from t5mix.errors import T5MixError, UnknownNameError

T = TypeVar("T")


def of(values: np.ndarray) -> Study:
    """A study of one task; values of a mean over examples: [methods, seeds, examples]."""
    return Study(tuple("abcdef"[: len(values)]), tuple(range(values.shape[1])), {"task": TaskScores.of_means(values)})


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def known(value: T | None) -> T:
    assert value is not None
    return value


def f1(sums: np.ndarray) -> np.ndarray:
    return 2 * sums[..., 0] / (2 * sums[..., 0] + sums[..., 1] + sums[..., 2])


# Agreement with scipy ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seeds", [2, 3, 30])
def test_without_variance_of_examples_it_is_the_paired_t_test(seeds: int):
    per_seed = 80 + noise(2, seeds)
    estimate = resample(of(np.repeat(per_seed[..., None], 7, axis=2)), 50).difference("a", "b")
    scipy = stats.ttest_rel(*per_seed)
    assert estimate.p_value() == pytest.approx(scipy.pvalue, rel=1e-4)
    assert estimate.interval(0.9) == pytest.approx(tuple(scipy.confidence_interval(0.9)), rel=1e-4)
    assert estimate.example_error == pytest.approx(0, abs=1e-12)


def test_without_variance_of_seeds_it_is_the_bootstrap_over_examples():
    right = noise(2, 1, 400) > -0.8
    estimate = resample(of(np.repeat(right, 4, axis=1)), 20_000).difference("a", "b")
    scipy = stats.bootstrap(
        (right[0, 0] * 1.0 - right[1, 0],),
        np.mean,
        n_resamples=20_000,
        method="percentile",
        rng=np.random.default_rng(1),
    )
    assert estimate.seed_error == pytest.approx(0, abs=1e-6)
    assert estimate.standard_error == pytest.approx(scipy.standard_error, rel=0.02)
    assert estimate.interval() == pytest.approx(
        tuple(scipy.confidence_interval), abs=0.12 * float(scipy.standard_error)
    )


def test_an_f1_whose_examples_vary_agrees_with_scipy():
    rows = np.random.default_rng(0).multinomial(1, [0.4, 0.1, 0.15, 0.35], size=(1, 1, 300))[..., :3]
    study = Study(("a",), (0, 1, 2), {"task": TaskScores(f1, np.repeat(rows, 3, axis=1))})
    estimate = resample(study, 10_000).mean("a")
    scipy = stats.bootstrap(
        tuple(rows[0, 0].T),
        lambda *counts, axis: f1(np.stack(counts).sum(axis=axis).T),
        paired=True,
        n_resamples=10_000,
        rng=np.random.default_rng(1),
        method="percentile",
        vectorized=True,
    )
    assert estimate.value == pytest.approx(f1(rows[0, 0].sum(axis=0)))
    assert estimate.standard_error == pytest.approx(scipy.standard_error, rel=0.03)


# The reference distribution ---------------------------------------------------------------------------


@pytest.mark.parametrize(("seed_error", "example_error"), [(1.0, 0.0), (0.0, 1.0), (1.0, 1e-5), (1e-5, 1.0)])
def test_one_error_alone_is_students(seed_error: float, example_error: float):
    estimate = Estimate(5.0, seeds=4, examples=101, seed_error=seed_error, example_error=example_error)
    student = stats.t(3 if seed_error == 1 else 100)
    for level in (0.5, 0.95, 0.999):
        assert known(estimate.interval(level))[1] - 5 == pytest.approx(student.ppf((1 + level) / 2), rel=1e-4)


def test_both_errors_together_weigh_their_p_values_by_their_shares():
    estimate = Estimate(0.0, seeds=3, examples=50, seed_error=0.6, example_error=0.8)
    assert estimate.p_value(2.0) == pytest.approx(2 * (0.36 * stats.t.sf(2, 2) + 0.64 * stats.t.sf(2, 49)), rel=1e-9)


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("alpha", [0.05, 0.005, 0.001])
def test_the_level_is_kept_whatever_the_shares_are(seeds: int, alpha: float):
    """Exactly, by integrating over the variance that is found between seeds; a thousand examples are as good as all."""
    shares = np.linspace(0.02, 0.98, 7)
    found = stats.chi2.ppf((np.arange(400) + 0.5) / 400, seeds - 1) / (seeds - 1)
    rejected = []
    for share in shares:
        estimates = [Estimate(0.0, seeds, 10**6, np.sqrt(share * each), np.sqrt(1 - share)) for each in found]
        rejected.append(np.mean(2 * stats.norm.sf([known(each.interval(1 - alpha))[1] for each in estimates])))
    assert max(rejected) < 1.05 * alpha
    if alpha == 0.05:
        assert min(rejected) > 0.7 * alpha  # and few intervals are much too wide


@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
def test_the_interval_leaves_out_what_the_test_rejects(level: float):
    estimate = resample(of(noise(2, 3, 40)), 200).difference("a", "b")
    for end, inwards in zip(known(estimate.interval(level)), (1e-6, -1e-6), strict=True):
        assert estimate.p_value(end) == pytest.approx(1 - level, rel=1e-5)
        assert known(estimate.p_value(end - inwards)) < 1 - level < known(estimate.p_value(end + inwards))


def test_the_p_value_of_the_estimate_itself_is_one_and_no_more():
    estimate = resample(of(noise(1, 3, 40)), 200).mean("a")
    assert estimate.p_value(estimate.value) == pytest.approx(1, abs=1e-9)
    for error in np.linspace(0.1, 1, 100):  # squares of some add up to more than one by a last digit
        p_value = known(Estimate(2.0, seeds=3, examples=50, seed_error=error, example_error=1 / error).p_value(2.0))
        assert p_value == pytest.approx(1, abs=1e-9)
        assert p_value <= 1


def test_the_smallest_effect_shrinks_with_seeds_and_grows_with_the_level():
    few = Estimate(0.0, seeds=3, examples=100, seed_error=1.0, example_error=0.5)
    many = Estimate(0.0, seeds=10, examples=100, seed_error=1.0, example_error=0.5)
    effect = known(many.smallest_effect())
    assert known(few.smallest_effect()) > effect
    assert known(many.smallest_effect(0.99)) > effect
    assert known(many.smallest_effect(power=0.9)) > effect > known(many.smallest_effect(power=0.3))
    assert many.smallest_effect(power=0.5) == pytest.approx(known(many.interval())[1], rel=1e-6)


# The two levels ---------------------------------------------------------------------------------------


def test_the_variance_is_that_of_the_crossed_design():
    values = noise(1, 6, 80) + 2 * noise(1, 1, 80, seed=1) + noise(1, 6, 1, seed=2)
    estimate = resample(of(values), 20_000).mean("a")
    means, within = values[0].mean(axis=1), np.cov(values[0])
    shared = (within.sum() - np.trace(within)) / (6 * 5)  # between different seeds
    assert estimate.seed_error == pytest.approx(means.std(ddof=1) / np.sqrt(6))
    assert estimate.example_error == pytest.approx(np.sqrt(shared / 80), rel=0.02)
    assert estimate.standard_error == pytest.approx(np.hypot(estimate.seed_error, estimate.example_error))


def test_what_two_methods_share_cancels():
    shared = 5 * noise(1, 4, 1) + 3 * noise(1, 1, 60, seed=1)
    own = 0.1 * noise(2, 4, 60, seed=2)
    resampled = resample(of(shared + own), 500)
    assert resampled.mean("a").standard_error > 0.5
    assert resampled.difference("a", "b").standard_error < 0.02
    assert resampled.difference("a", "b").value == -resampled.difference("b", "a").value


def test_an_average_of_tasks_keeps_seeds_together_and_draws_examples_apart():
    values = noise(2, 4, 1) + noise(2, 1, 60, seed=1) + 0.1 * noise(2, 4, 60, seed=2)
    one, two = TaskScores.of_means(values), TaskScores.of_means(values)
    resampled = resample(Study(("a", "b"), (0, 1, 2, 3), {"one": one, "two": two}), 20_000)
    single, average = resampled.difference("a", "b", "one"), resampled.difference("a", "b")
    assert average.value == pytest.approx(single.value)
    assert average.seed_error == pytest.approx(single.seed_error)
    assert average.example_error == pytest.approx(single.example_error / np.sqrt(2), rel=0.03)


def test_the_same_seed_gives_the_same_draws_whatever_other_tasks_there_are():
    one, two = TaskScores.of_means(noise(2, 3, 30)), TaskScores.of_means(noise(2, 3, 50, seed=1))
    alone = resample(Study(("a", "b"), (0, 1, 2), {"one": one}), 100, seed=4)
    among = resample(Study(("a", "b"), (0, 1, 2), {"two": two, "one": one}), 100, seed=4)
    assert alone.mean("a", "one") == among.mean("a", "one")
    assert alone.mean("a", "one") != resample(alone.study, 100, seed=5).mean("a", "one")


def test_averages_take_weights_and_names():
    tasks = {
        name: TaskScores.of_means(level + noise(1, 3, 20)) for name, level in (("x", 0.0), ("y", 10.0), ("z", 40.0))
    }
    resampled = resample(Study(("a",), (0, 1, 2), tasks), 50)
    x, y, z = (resampled.mean("a", name).value for name in "xyz")
    assert resampled.mean("a").value == pytest.approx((x + y + z) / 3)
    assert resampled.mean("a", ["x", "z"]).value == pytest.approx((x + z) / 2)
    assert resampled.mean("a", {"x": 1.0, "y": 3.0}).value == pytest.approx((x + 3 * y) / 4)


# By how much more on one set of tasks than on another -------------------------------------------------


def test_a_difference_of_differences_by_hand():
    x, y, z = (TaskScores.of_means(noise(2, 4, 40, seed=seed)) for seed in range(3))
    study = Study(("a", "b"), (0, 1, 2, 3), {"x": x, "y": y, "z": z})
    more = resample(study, 200).difference("a", "b", ["x", "y"], minus="z")
    gains = {name: scores.values[0] - scores.values[1] for name, scores in study.tasks.items()}
    by_seed = (gains["x"] + gains["y"]) / 2 - gains["z"]
    assert more.value == pytest.approx(by_seed.mean())
    assert more.seed_error == pytest.approx(by_seed.std(ddof=1) / np.sqrt(4))


def test_the_errors_of_a_difference_of_differences_are_those_of_the_gains():
    """With z = x - y in every example, by how much more on x than on y is the difference on z."""
    x, y = noise(2, 4, 3000), noise(2, 4, 3000, seed=1)
    tasks = {name: TaskScores.of_means(values) for name, values in (("x", x), ("y", y), ("z", x - y))}
    resampled = resample(Study(("a", "b"), (0, 1, 2, 3), tasks), 5_000)
    more, same = resampled.difference("a", "b", "x", minus="y"), resampled.difference("a", "b", "z")
    assert more.value == pytest.approx(same.value)
    assert more.seed_error == pytest.approx(same.seed_error)
    # Examples of two tasks are drawn apart, and here what varies between them is not shared: the same variance.
    assert more.standard_error == pytest.approx(same.standard_error, rel=0.05)


def test_tasks_on_both_sides_count_with_what_is_left_of_them():
    values = noise(2, 3, 20)
    values[0, 0] = np.nan
    x, y = TaskScores.of_means(noise(2, 3, 30, seed=1)), TaskScores.of_means(noise(2, 3, 40, seed=2))
    study = Study(("a", "b"), (0, 1, 2), {"x": x, "y": y, "shared": TaskScores.of_means(values)})
    resampled = resample(study, 100)
    cancelled = resampled.difference("a", "b", ["x", "shared"], minus=["y", "shared"])
    assert cancelled.seeds == 3  # the missing trial is of a task that cancels
    assert cancelled.examples == 30
    half = resampled.difference("a", "b", "x", minus="y")
    assert cancelled.value == pytest.approx(half.value / 2)


# What has no interval ---------------------------------------------------------------------------------


def test_a_missing_trial_leaves_its_seed_out_of_what_it_is_part_of():
    values = noise(3, 4, 25)
    values[1, 2] = np.nan
    resampled = resample(of(values), 200)
    difference = resampled.difference("a", "b")
    assert difference.seeds == 3
    assert difference.value == pytest.approx((values[0] - values[1])[[0, 1, 3]].mean())
    assert difference == resample(of(values[:, [0, 1, 3]]), 200).difference("a", "b")
    assert resampled.difference("a", "c").seeds == resampled.mean("a").seeds == 4


def test_a_seed_counts_for_an_average_only_with_all_of_its_tasks():
    values, partly = noise(2, 1, 4, 25)
    partly[0, 0] = np.nan
    tasks = {"x": TaskScores.of_means(values), "y": TaskScores.of_means(partly)}
    assert resample(Study(("a",), (0, 1, 2, 3), tasks), 50).mean("a").seeds == 3


@pytest.mark.parametrize(("seeds", "value"), [(1, 0.0), (0, np.nan)])
def test_fewer_than_two_seeds_give_an_estimate_without_an_interval(seeds: int, value: float):
    values = np.ones((2, 3, 10))
    values[1, seeds:] = np.nan
    estimate = resample(of(values), 50).difference("a", "b")
    assert estimate.value == pytest.approx(value, nan_ok=True)
    assert estimate.reason == f"an interval needs 2 seeds or more; there are {seeds}"
    assert estimate.interval() is estimate.p_value() is estimate.smallest_effect() is None


def test_a_single_example_gives_no_interval():
    assert resample(of(noise(1, 3, 1)), 50).mean("a").reason == "a task has a single example"


def test_methods_that_answer_alike_give_no_interval():
    answers = np.repeat(noise(1, 3, 30) > 0, 2, axis=0)
    estimate = resample(of(answers), 50).difference("a", "b")
    assert estimate.value == 0
    assert estimate.reason == "neither seeds nor examples make a difference"


def test_seeds_that_agree_by_chance_still_have_a_variance():
    answers = np.array([[[1, 1, 0, 1, 0, 1], [1, 0, 1, 1, 1, 0], [0, 1, 1, 0, 1, 1]]])
    estimate = resample(of(np.tile(answers, 5)), 2000).mean("a")
    assert estimate.seed_error > 0.01
    assert estimate.reason == ""


@pytest.mark.parametrize(("positive", "enough"), [(6, True), (1, False)])
def test_draws_that_leave_a_metric_undefined_are_counted(positive: int, enough: bool):
    """Recall has no value in a draw without a positive example."""
    hits = np.array([noise(1, 3, positive) > 0, np.ones((1, 3, positive))])
    rows = np.zeros((1, 3, 50, 2))
    rows[:, :, :positive] = np.moveaxis(hits, 0, -1)
    recall = TaskScores(lambda sums: sums[..., 0] / sums[..., 1], rows)
    estimate = resample(Study(("a",), (0, 1, 2), {"task": recall}), 5000).mean("a")
    assert estimate.undefined == pytest.approx((1 - positive / 50) ** 50, abs=0.02)
    assert (estimate.reason == "") == enough
    assert enough or estimate.reason.startswith("the metric is undefined in 3")


def test_bad_requests_are_refused():
    resampled = resample(of(noise(2, 3, 10)), 50)
    for call in (lambda: resampled.mean("a").interval(95), lambda: resampled.mean("a").smallest_effect(power=1.0)):
        with pytest.raises(T5MixError, match="between 0 and 1"):
            call()
    with pytest.raises(T5MixError, match="1 draws"):
        resample(resampled.study, 1)
    with pytest.raises(T5MixError, match="compared with itself"):
        resampled.difference("a", "a")
    with pytest.raises(T5MixError, match="An average over task is compared with itself"):
        resampled.difference("a", "b", minus="task")
    with pytest.raises(UnknownNameError, match=r"task 'tusk'.* 'task'"):
        resampled.difference("a", "b", minus="tusk")
