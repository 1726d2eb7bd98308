"""What methods cost, and which of them no other beats at the price."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from t5mix.analysis.results import Results
from t5mix.sweep.trial import TrialResult


@dataclasses.dataclass(frozen=True)
class Cost:
    """A method's reported runs, mean over seeds; of a method with a run for each task, all of its runs together.

    Attributes:
        learning_rate: the chosen one; None where nothing is tuned.
        steps: of each run.
        trained: trained parameters.
        total: parameters of the model.
        operations: floating-point operations of training, without those of the runs that they start from; None where
            that is not known.
        memory: peak bytes of the process; of the largest run.
        training: seconds.
        evaluation: seconds.
    """

    learning_rate: float | None
    steps: float
    trained: float
    total: float
    operations: float | None
    memory: float | None
    training: float
    evaluation: float


def method_costs(results: Results) -> dict[str, Cost]:
    """Returns the costs of each method of which a seed is whole."""
    costs = {}
    for label, variant in results.sweep.variants.items():
        by_seed: dict[int, list[TrialResult]] = {}
        for trial in results.trials_of(label):
            by_seed.setdefault(trial.seed, []).append(trial)
        whole = [trials for trials in by_seed.values() if len(trials) == len(variant.trial_tasks)]
        if whole:
            costs[label] = _cost(results.chosen_rates[label], whole)
    return costs


def _cost(learning_rate: float | None, seeds: Sequence[Sequence[TrialResult]]) -> Cost:
    trials = [trial for of_seed in seeds for trial in of_seed]
    operations = [trial.operations for trial in trials if trial.operations is not None]
    memory = [trial.peak_memory_bytes for trial in trials if trial.peak_memory_bytes is not None]
    return Cost(
        learning_rate=learning_rate,
        steps=float(np.mean([trial.steps for trial in trials])),
        trained=sum(trial.parameters.trained for trial in trials) / len(seeds),
        total=float(np.mean([trial.parameters.total for trial in trials])),
        operations=sum(operations) / len(seeds) if len(operations) == len(trials) else None,
        memory=max(memory) if memory else None,
        training=sum(trial.seconds.training for trial in trials) / len(seeds),
        evaluation=sum(trial.seconds.evaluation for trial in trials) / len(seeds),
    )


def pareto_front(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Returns those that nothing beats, cheapest first: no other is at most as dear and at least as good.

    Args:
        points: (cost, score) by name. Of equal points all are on the front.
    """

    def beaten(cost: float, score: float) -> bool:
        return any(c <= cost and s >= score and (c, s) != (cost, score) for c, s in points.values())

    return sorted((name for name, point in points.items() if not beaten(*point)), key=lambda name: points[name])
