"""What methods cost, and which of them no other beats at the price."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from t5mix.analysis.results import Results
from t5mix.sweep.trial_reader import TrialResult


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
    found = {}
    for name, method in results.methods.items():
        runs = len(results.sweep.tasks) if method.per_task_runs else 1
        by_seed: dict[int, list[TrialResult]] = {}
        for trial in results.of(name):
            by_seed.setdefault(trial.seed, []).append(trial)
        whole = [trials for trials in by_seed.values() if len(trials) == runs]
        if whole:
            found[name] = _cost(results.chosen_rates[name], whole)
    return found


def _cost(learning_rate: float | None, seeds: Sequence[Sequence[TrialResult]]) -> Cost:
    trials = [trial for of_seed in seeds for trial in of_seed]
    operations, memory = [t.operations for t in trials], [t.peak_memory_bytes for t in trials]
    known, measured = [o for o in operations if o is not None], [m for m in memory if m is not None]
    return Cost(
        learning_rate=learning_rate,
        steps=float(np.mean([trial.steps for trial in trials])),
        trained=sum(trial.parameters.trained for trial in trials) / len(seeds),
        total=float(np.mean([trial.parameters.total for trial in trials])),
        operations=sum(known) / len(seeds) if len(known) == len(trials) else None,
        memory=max(measured) if measured else None,
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
