"""Means and paired differences of methods, with intervals over seeds and examples.

A score varies for two reasons: another seed would have given another model, and other examples another metric. Both
levels count, and they are crossed, not nested: all seeds and methods see the same examples. With K seeds and n examples

    variance of a mean over seeds = s^2 / K + c

where s^2 is the variance of the metric between seeds (their luck with the examples at hand included) and c the
covariance, over draws of the examples, of two different seeds' metrics (Obuchowski and Rockette 1995). s^2 is seen
directly. c comes from a bootstrap: the examples of each task are drawn anew, the same for all methods and seeds, and
the metrics, and their averages over tasks, are computed from each draw. A paired difference is treated as a score of
its own, so that what two methods share cancels.

Seeds are not resampled: three to five values cannot stand for their distribution, and percentile intervals come out
too narrow where seeds matter. Instead a difference of x standard errors has the p value

    p = (s^2 / K) / v * p_K-1(x) + c / v * p_n-1(x),    v = s^2 / K + c

the mean of the two that Student's t with K - 1 and with n - 1 degrees of freedom gives, each weighed by its part's
share of the variance; an interval holds what this test does not reject. With normal variables the test then keeps its
level from 5 % to 0.1 %, and so through Holm's correction, with 3 seeds or more and whatever the shares are.
Satterthwaite's single t does not: with few seeds s^2 is often far too small by luck, its share then too, and the t too
light. benchmarks/statistics_coverage.py compares both, and others, on simulated studies (decision 12).
"""

import dataclasses
import zlib
from collections.abc import Mapping

import numpy as np
from scipy import optimize, special

from t5mix.analysis.scores import Study, TaskSelection
from t5mix.errors import T5MixError

_MOST_UNDEFINED = 0.1  # of the draws; leaving out more would hide the draws in which a metric is at its worst


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A mean or a difference in metric points, and how well it is known.

    Attributes:
        value: the mean over seeds; NaN where there is no seed.
        seeds: the number of seeds it rests on; those that both methods have, for a difference.
        examples: the number of examples; of the task with the fewest, for an average.
        seed_error: the part of its standard error that more seeds would lower; NaN where it is unknown.
        example_error: the part that more examples would lower; NaN where it is unknown.
        reason: why there is no interval; empty where there is one.
        undefined: the share of draws of the examples that left a metric undefined, and were left out.
    """

    value: float
    seeds: int
    examples: int
    seed_error: float = np.nan
    example_error: float = np.nan
    reason: str = ""
    undefined: float = 0.0

    @property
    def standard_error(self) -> float:
        """The standard error over seeds and examples."""
        return float(np.hypot(self.seed_error, self.example_error))

    def interval(self, level: float = 0.95) -> tuple[float, float] | None:
        """Returns the interval that holds the true value with a probability of `level`; None where `reason` says why.

        Raises:
            T5MixError: the level is not between 0 and 1.
        """
        check_share("level", level)
        if self.reason:
            return None
        half = self._distance((1 + level) / 2)
        return self.value - half, self.value + half

    def p_value(self, null: float = 0.0) -> float | None:
        """Returns the two-sided p value of "the true value is `null`"; None where `reason` says why.

        It is below 1 - level if and only if the interval of that level leaves `null` out.
        """
        if self.reason:
            return None
        return min(1.0, 2 * self._tail(abs(self.value - null) / self.standard_error))  # shares add up but for rounding

    def smallest_effect(self, level: float = 0.95, power: float = 0.8) -> float | None:
        """Returns the smallest distance from the null that a test at `level` would detect with probability `power`.

        Found from the errors as estimated: the quantiles of level and power, added. None where `reason` says why.

        Raises:
            T5MixError: level or power is not between 0 and 1.
        """
        check_share("level", level)
        check_share("power", power)
        return None if self.reason else self._distance((1 + level) / 2) + self._distance(power)

    def _tail(self, distance: float) -> float:
        """Returns the probability that the error exceeds so many standard errors in one direction."""
        shares = np.square([self.seed_error, self.example_error]) / self.standard_error**2
        return float(shares @ special.stdtr([self.seeds - 1, self.examples - 1], -distance))

    def _distance(self, probability: float) -> float:
        """Returns the distance that the error stays below with a probability."""
        alone = special.stdtrit([self.seeds - 1, self.examples - 1], probability)  # it lies between these two
        bracket = alone.min() - 1, alone.max() + 1
        root = optimize.root_scalar(lambda x: self._tail(x) - (1 - probability), bracket=bracket)
        return float(root.root * self.standard_error)


@dataclasses.dataclass(frozen=True, eq=False)
class Resampled:
    """A study and its bootstrap draws of the examples.

    Attributes:
        study: the study.
        draws: how far the metrics of each draw lie from those of the study, by task; [methods, seeds, draws]. Stretched
            by sqrt(n / (n - 1)), for the variance of a bootstrap over n examples is too small by that factor's square.
    """

    study: Study
    draws: Mapping[str, np.ndarray]

    def mean(self, method: str, over: TaskSelection = None) -> Estimate:
        """Returns a method's metric, its mean over seeds, on a task or an average over tasks.

        Raises:
            UnknownNameError: there is no such method or task.
        """
        return self._estimate({method: 1.0}, over)

    def difference(self, first: str, second: str, over: TaskSelection = None, minus: TaskSelection = None) -> Estimate:
        """Returns by how much the first method's metric exceeds the second's, over the seeds that both have.

        Args:
            first: the one method.
            second: the other.
            over: the task or the average on which they are compared.
            minus: another, whose difference is taken off: by how much more the first method exceeds the second here
                than there. None to take nothing off.

        Raises:
            UnknownNameError: there is no such method or task.
            T5MixError: both are the same method, or both are the same average.
        """
        if first == second:
            raise T5MixError(f"The method {first!r} is compared with itself.")
        return self._estimate({first: 1.0, second: -1.0}, over, minus)

    def _estimate(self, signs: Mapping[str, float], over: TaskSelection, minus: TaskSelection = None) -> Estimate:
        study, weights = self.study, self.study.weights(over)
        if minus is not None:
            weights = _less(weights, study.weights(minus))
        parts = [
            (sign * weight, task, study.index(method))
            for method, sign in signs.items()
            for task, weight in weights.items()
        ]
        scores = np.sum([factor * study.tasks[task].values[row] for factor, task, row in parts], axis=0)
        paired = np.isfinite(scores)
        examples = min(study.tasks[task].rows.shape[2] for task in weights)
        value = float(scores[paired].mean()) if paired.any() else np.nan
        estimate = Estimate(value, seeds=int(paired.sum()), examples=examples)
        if estimate.seeds < 2:
            return dataclasses.replace(
                estimate, reason=f"an interval needs 2 seeds or more; there are {estimate.seeds}"
            )
        if examples < 2:
            return dataclasses.replace(estimate, reason="a task has a single example")
        drawn = np.sum([factor * self.draws[task][row][paired] for factor, task, row in parts], axis=0)
        return _with_errors(estimate, scores[paired], drawn)


def resample(study: Study, draws: int = 2000, seed: int = 0) -> Resampled:
    """Draws the examples of each task with replacement, the same for all methods and seeds.

    Args:
        study: the scores.
        draws: how many times. The standard error of examples is known to about 1 / sqrt(2 draws) of itself.
        seed: of the draws. Those of a task do not depend on the other tasks.

    Raises:
        T5MixError: there are fewer than 2 draws.
    """
    if draws < 2:
        raise T5MixError(f"{draws} draws of the examples show no variance; take a thousand or more.")
    drawn = {}
    for task, scores in study.tasks.items():
        generator = np.random.default_rng([seed, zlib.crc32(task.encode())])
        examples = scores.rows.shape[2]
        stretch = np.sqrt(examples / max(1, examples - 1))
        drawn[task] = stretch * (scores.draw(draws, generator) - scores.values[..., None])
    return Resampled(study, drawn)


def check_share(noun: str, value: float) -> None:
    """Raises T5MixError if a level, a power or the like is not between 0 and 1."""
    if not 0 < value < 1:
        raise T5MixError(f"{noun} is {value}; it must lie between 0 and 1.")


def _less(weights: Mapping[str, float], minus: Mapping[str, float]) -> dict[str, float]:
    """Returns the weights of tasks in the difference of two averages, without those that cancel."""
    both = {task: weights.get(task, 0.0) - minus.get(task, 0.0) for task in {**weights, **minus}}
    left = {task: weight for task, weight in both.items() if abs(weight) > 1e-12}
    if not left:
        raise T5MixError(f"An average over {', '.join(weights)} is compared with itself.")
    return left


def _with_errors(estimate: Estimate, scores: np.ndarray, drawn: np.ndarray) -> Estimate:
    """Returns the estimate with its errors: from scores [seeds], and from draws of the examples [seeds, draws]."""
    defined = np.isfinite(drawn).all(axis=0)
    estimate = dataclasses.replace(estimate, undefined=float(1 - defined.mean()))
    if estimate.undefined > _MOST_UNDEFINED:
        return dataclasses.replace(estimate, reason=f"the metric is undefined in {estimate.undefined:.0%} of the draws")
    drawn, seeds = drawn[:, defined], estimate.seeds
    together, alone = drawn.mean(axis=0).var(), drawn.var(axis=1).mean()
    shared = max(0.0, (seeds * together - alone) / (seeds - 1))
    between = scores.var(ddof=1) / seeds
    rounding = 1e-12 * max(1.0, np.abs(scores).max())
    if np.ptp(scores) <= rounding:
        # Seeds that agree to the last digit show that metrics are coarse, not that seeds are alike: what is left is
        # their luck with the examples.
        between = max(0.0, alone - shared) / seeds
    if max(between, shared) <= rounding**2:
        return dataclasses.replace(estimate, reason="neither seeds nor examples make a difference")
    return dataclasses.replace(estimate, seed_error=float(np.sqrt(between)), example_error=float(np.sqrt(shared)))
