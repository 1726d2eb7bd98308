"""Whether a comparison's intervals and verdicts keep their promises, on simulated studies whose truth is known.

    python benchmarks/statistics_coverage.py [--studies 1000] [--draws 250]

An example is answered rightly where a normal variable is above zero: a method's level, plus what the seed, the example
and both together add, each shared by the methods as far as they are correlated. The true metric then follows by
integrating over the seeds. Writes results/statistics_coverage.json.
"""

import argparse
import dataclasses
import itertools
import time
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from provenance import save
from scipy import special, stats

from t5mix.analysis.hypotheses import Verdict, judge
from t5mix.analysis.scores import Study, TaskScores
from t5mix.analysis.statistics import Estimate, Resampled, resample
from t5mix.sweep.spec import Hypothesis

OF_EXAMPLES, OF_BOTH = 0.6, 0.4  # variances of the normal variables
POSITIVE = 0.3  # of the examples, where F1 is the metric
MIDDLE, CEILING = 0.8, 2.0  # 79 % and 98 % right
LEVELS = (0.95, 0.995)
SHOWN = {Verdict.SUPPORTED: 1, Verdict.REFUTED: -1}  # the sign of a difference


@dataclasses.dataclass(frozen=True)
class Case:
    """What is simulated.

    Attributes:
        metric: accuracy or f1.
        seeds: of each method.
        examples: of each task; the average over tasks is looked at.
        ratio: the variance between seeds, as a multiple of what the examples add to the variance of a mean.
        shared: the correlation between methods of what seeds and examples add.
        level: of the methods, if they are equal.
    """

    metric: str
    seeds: int
    examples: tuple[int, ...]
    ratio: float
    shared: float = 0.8
    level: float = MIDDLE

    def generator(self) -> np.random.Generator:
        """Returns the random numbers of this case."""
        return np.random.default_rng(zlib.crc32(repr(self).encode()))


def main() -> None:
    """Runs all simulations, reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000, help="simulated for each case")
    parser.add_argument("--draws", type=int, default=250)
    options = parser.parse_args()
    started = time.process_time()
    rows: list[dict[str, Any]] = []
    for case in cases():
        rows += coverage(case, options.studies, options.draws)
        print(case, *(f"{row['quantity']} {row['95.0%']:.3f}" for row in rows[-2:]), flush=True)
    families = itertools.product((3, 5), (((100,), 1.0), ((1000,), 10.0)), (0.0, 0.4))
    figures = {
        "studies": options.studies,
        "draws": options.draws,
        "range of coverage": ranges(rows),
        "coverage": rows,
        "families": [
            false_verdicts(Case("accuracy", seeds, examples, ratio), gain, options.studies, options.draws)
            for seeds, (examples, ratio), gain in families
        ],
        "power": [
            power(Case("accuracy", seeds, (200,), ratio), options.studies, options.draws)
            for seeds, ratio in itertools.product((3, 5, 10), (1.0, 10.0))
        ],
        "CPU seconds": {"a study": runtime(), "all": time.process_time() - started},
    }
    print(*figures["range of coverage"], *figures["families"], *figures["power"], figures["CPU seconds"], sep="\n")
    print(save("statistics_coverage", figures))


def cases() -> Iterator[Case]:
    """Yields a grid, averages over tasks, and a metric near its end."""
    grid = itertools.product(("accuracy", "f1"), (3, 5, 10), (50, 200, 1000), (0.1, 1.0, 10.0), (0.0, 0.8))
    for metric, seeds, examples, ratio, shared in grid:
        yield Case(metric, seeds, (examples,), ratio, shared)
    for seeds, ratio in itertools.product((3, 5), (0.1, 1.0, 10.0)):
        yield Case("f1", seeds, (50, 100, 200, 400), ratio)
    for seeds, examples in itertools.product((3, 5, 10), (50, 200, 1000)):
        yield Case("accuracy", seeds, (examples,), 1.0, level=CEILING)


def coverage(case: Case, studies: int, draws: int) -> list[dict[str, Any]]:
    """Returns how often intervals hold the truth: of a method's mean, and of a difference of two methods."""
    generator = case.generator()
    true_mean = float(np.mean([truth(case, n, case.level) for n in case.examples]))
    by_quantity: dict[str, list[dict[str, float]]] = {"mean": [], "difference": []}
    for number in range(studies):
        resampled = resample(simulated(generator, case, (case.level, case.level)), draws, seed=number)
        for quantity, signs, true in (("mean", {"0": 1}, true_mean), ("difference", {"0": 1, "1": -1}, 0.0)):
            estimate = resampled.mean("0") if quantity == "mean" else resampled.difference("0", "1")
            if not estimate.reason:
                by_quantity[quantity].append(held(estimate, *parts(resampled, signs), true, generator))
    return [
        {**dataclasses.asdict(case), "quantity": quantity, "without": studies - len(records)}
        | {name: float(np.mean([record[name] for record in records])) for name in records[0]}
        for quantity, records in by_quantity.items()
    ]


def held(
    estimate: Estimate, scores: np.ndarray, drawn: np.ndarray, true: float, generator: np.random.Generator
) -> dict[str, float]:
    """Says which intervals hold the truth: ours at all levels, and at 95 % those of other constructions."""
    p_value, seeds = estimate.p_value(true) or 0.0, len(scores)
    chosen = generator.integers(seeds, size=(seeds, drawn.shape[1]))
    of_both = (scores[chosen] + np.take_along_axis(drawn, chosen, axis=0)).mean(axis=0)
    low, high = np.quantile(of_both, [0.025, 0.975])
    variances = np.square([estimate.seed_error, estimate.example_error])
    of_each = 1 / np.array([seeds - 1, estimate.examples - 1])
    shares, distance = variances / variances.sum(), abs(true - estimate.value)
    of_seeds = stats.t.ppf(0.975, seeds - 1) * scores.std(ddof=1) / np.sqrt(seeds)
    bounds = {
        (name, level): bound
        for level in ((1 + confidence) / 2 for confidence in LEVELS)
        for name, bound in (
            ("satterthwaite", stats.t.ppf(level, 1 / (shares**2 @ of_each)) * estimate.standard_error),
            ("one t", stats.t.ppf(level, 1 / (shares @ of_each)) * estimate.standard_error),
            ("cochran", stats.t.ppf(level, 1 / of_each) @ shares * estimate.standard_error),
        )
    }
    held_by_t = {f"{name} {2 * level - 1:.1%}": float(distance <= bound) for (name, level), bound in bounds.items()}
    others = {"percentile": float(low <= true <= high), "t over seeds": float(distance <= of_seeds), **held_by_t}
    return {f"{level:.1%}": float(p_value >= 1 - level) for level in LEVELS} | others


def ranges(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the lowest, the mean and the highest coverage over all cases of a number of seeds, the ceiling apart."""
    table = []
    for seeds, level, quantity in itertools.product((3, 5, 10), (MIDDLE, CEILING), ("mean", "difference")):
        these = {"seeds": seeds, "level": level, "quantity": quantity}
        matching = [row for row in rows if these.items() <= row.items()]
        for name in list(matching[0])[list(matching[0]).index("without") + 1 :]:
            rates = [row[name] for row in matching]
            table.append({**these, "interval": name, "coverage": [min(rates), float(np.mean(rates)), max(rates)]})
    return table


def parts(resampled: Resampled, signs: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """Returns scores and draws of a plain average over the tasks; [seeds], [seeds, draws]."""
    tasks, places = resampled.study.tasks, {resampled.study.index(name): sign for name, sign in signs.items()}
    scores = [sign * scores.values[place] for scores in tasks.values() for place, sign in places.items()]
    drawn = [sign * draws[place] for draws in resampled.draws.values() for place, sign in places.items()]
    return np.sum(scores, axis=0) / len(tasks), np.sum(drawn, axis=0) / len(tasks)


def false_verdicts(case: Case, gain: float, studies: int, draws: int) -> dict[str, Any]:
    """Returns how often any verdict is false in a family of all pairs of five methods, with Holm and without.

    All methods are equal, or, with a gain, the last two are better than the first three.
    """
    levels = (case.level,) * 3 + (case.level + gain,) * 2
    truths = [truth(case, case.examples[0], level) for level in levels]
    pairs = {(i, j): Hypothesis(claim="", better=str(i), worse=str(j)) for j in range(5) for i in range(j + 1, 5)}
    generator, false, plain, supported = case.generator(), 0, 0, 0
    for number in range(studies):
        resampled = resample(simulated(generator, case, levels), draws, seed=number)
        judged = judge(resampled, {f"{i}{j}": pair for (i, j), pair in pairs.items()})
        signs = [(judged[f"{i}{j}"], np.sign(truths[i] - truths[j])) for i, j in pairs]
        false += any(SHOWN.get(finding.verdict, sign) != sign for finding, sign in signs)
        plain += any(finding.p_value < 0.05 for finding, sign in signs if sign == 0)
        supported += sum(finding.verdict == Verdict.SUPPORTED for finding, sign in signs if sign > 0)
    return {
        **dataclasses.asdict(case),
        "gain": gain,
        "any false verdict": false / studies,
        "any false one without Holm": plain / studies,
        "differences found": supported / (6 * studies) if gain else None,
    }


def power(case: Case, studies: int, draws: int) -> dict[str, Any]:
    """Returns how often a difference as large as the smallest detectable one, on average over studies, is detected."""
    generator = case.generator()
    studied = [simulated(generator, case, (case.level, case.level)) for _ in range(studies)]
    estimates = [resample(study, draws, seed).difference("0", "1") for seed, study in enumerate(studied)]
    effects = [effect for estimate in estimates if (effect := estimate.smallest_effect()) is not None]
    true = float(np.mean(effects))
    detected = [p < 0.05 for estimate in estimates if (p := estimate.p_value(-true)) is not None]
    return {**dataclasses.asdict(case), "smallest effect": true, "detected": float(np.mean(detected))}


def simulated(generator: np.random.Generator, case: Case, levels: tuple[float, ...]) -> Study:
    """Returns a study of methods at these levels."""

    def normal(*shape: int) -> np.ndarray:
        own = generator.standard_normal((len(levels), *shape))
        return np.sqrt(case.shared) * generator.standard_normal(shape) + np.sqrt(1 - case.shared) * own

    tasks = {}
    for n in case.examples:
        score = np.array(levels)[:, None, None] + np.sqrt(case.ratio * OF_EXAMPLES / n) * normal(case.seeds, 1)
        right = score + np.sqrt(OF_EXAMPLES) * normal(1, n) + np.sqrt(OF_BOTH) * normal(case.seeds, n) > 0
        positive = generator.random(n) < POSITIVE
        rows = np.stack([right & positive, right & ~positive, ~right & positive, ~right & ~positive], axis=-1)
        tasks[f"{n} examples"] = TaskScores(f1 if case.metric == "f1" else accuracy, rows)
    return Study(tuple(str(i) for i in range(len(levels))), tuple(range(case.seeds)), tasks)


def accuracy(sums: np.ndarray) -> np.ndarray:
    """Returns the share that is right; [..., 4] counts as in `simulated` -> [...]."""
    return (sums[..., 0] + sums[..., 1]) / sums.sum(axis=-1)


def f1(sums: np.ndarray) -> np.ndarray:
    """Returns F1 of the positive label; [..., 4] counts as in `simulated` -> [...]."""
    hits, _, misses, alarms = np.moveaxis(sums, -1, 0)
    return 2 * hits / (2 * hits + misses + alarms)


def truth(case: Case, examples: int, level: float) -> float:
    """Returns the metric on endless examples, its mean over endless seeds."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    of_seeds = np.sqrt(case.ratio * OF_EXAMPLES / examples)
    right = special.ndtr((level + of_seeds * nodes) / np.sqrt(OF_EXAMPLES + OF_BOTH))
    values = right if case.metric == "accuracy" else 2 * POSITIVE * right / (2 * POSITIVE * right + 1 - right)
    return float(weights @ values / weights.sum())


def runtime() -> float:
    """Returns the CPU seconds that a study takes: 10 methods, 5 seeds, 8 tasks of 5,000 examples, all pairs judged."""
    generator, names = np.random.default_rng(0), [str(i) for i in range(10)]
    tasks = {str(i): TaskScores(f1, generator.random((10, 5, 5000, 4)) < 0.3) for i in range(8)}
    pairs = itertools.combinations(names, 2)
    started = time.process_time()
    resampled = resample(Study(tuple(names), tuple(range(5)), tasks))
    judge(resampled, {f"{a}>{b}": Hypothesis(claim="", better=a, worse=b) for a, b in pairs})
    return time.process_time() - started


if __name__ == "__main__":
    main()
