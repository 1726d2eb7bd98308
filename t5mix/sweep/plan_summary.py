"""A sweep's plan in numbers: what `t5mix sweep --dry-run` shows, and what its progress counts."""

import dataclasses
from collections.abc import Iterable, Sequence

from t5mix.sweep.methods import MethodVariant
from t5mix.sweep.plan import SweepPlanner, Trial
from t5mix.sweep.planned_runs import PlannedRun
from t5mix.sweep.spec import Sweep


@dataclasses.dataclass(frozen=True)
class MethodPlan:
    """The runs of one method at one point of the grid.

    Attributes:
        method: its label.
        tuning_runs: that its learning rate is chosen by: each rate with each seed of the tuning.
        test_runs: that are reported: one a seed, and a task where each task is trained alone.
        steps: of these runs, each number once.
        learning_rates: to choose from; empty where it is as configured.
        seeds: of the test runs.
    """

    method: str
    tuning_runs: int
    test_runs: int
    steps: tuple[int, ...]
    learning_rates: tuple[float, ...]
    seeds: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class PlanSummary:
    """The runs of a sweep, as its progress counts them.

    A run that was tuned and is then tested counts as both: it is scored once more.

    Attributes:
        methods: what each method runs.
        parent_runs: runs that others start from.
    """

    methods: tuple[MethodPlan, ...]
    parent_runs: int

    @property
    def tuning_runs(self) -> int:
        """Those of all methods; grids may be extended later."""
        return sum(method.tuning_runs for method in self.methods)

    @property
    def test_runs(self) -> int:
        """Those of all methods."""
        return sum(method.test_runs for method in self.methods)

    @property
    def total(self) -> int:
        """All runs."""
        return self.parent_runs + self.tuning_runs + self.test_runs


def summarise_plan(planner: SweepPlanner, trials: Sequence[Trial]) -> PlanSummary:
    """Counts the runs of a plan.

    Args:
        planner: the plan.
        trials: all that are known beforehand.
    """
    sweep, tuning = planner.sweep, planner.sweep.tuning
    methods = []
    for label, variant in sweep.variants.items():
        tuned = len(tuning.seeds) * len(variant.learning_rates) if tuning is not None and variant.tuned else 0
        steps = {planner.runs[trial.run].steps for trial in trials if trial.method == label}
        methods.append(
            MethodPlan(
                method=label,
                tuning_runs=tuned * len(variant.trial_tasks),
                test_runs=len(seeds_to_test(sweep, variant)) * len(variant.trial_tasks),
                steps=tuple(sorted(steps)),
                learning_rates=variant.learning_rates,
                seeds=tuple(sweep.seeds),
            )
        )
    return PlanSummary(tuple(methods), len(parents_of(planner.runs.values())))


def seeds_to_test(sweep: Sweep, variant: MethodVariant) -> list[int]:
    """Returns the seeds of a method that are scored for the report: not those that the tuning scored on its split."""
    tuning = sweep.tuning
    scored = tuning.seeds if tuning is not None and variant.tuned and tuning.split == sweep.split else ()
    return [seed for seed in sweep.seeds if seed not in scored]


def parents_of(runs: Iterable[PlannedRun]) -> set[str]:
    """Returns the ids of the runs that others start from."""
    return {run.parent for run in runs if run.parent is not None}
