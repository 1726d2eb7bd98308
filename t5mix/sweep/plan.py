"""From a sweep to runs: which there are, which starts from which, and which trial each of them is for."""

import dataclasses
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from t5mix.cache.request_checks import check_request
from t5mix.config.composer import Composer, Tell
from t5mix.config.experiment import Experiment
from t5mix.config.reading import read_experiment
from t5mix.data.manifest import DataRequest
from t5mix.errors import T5MixError
from t5mix.runs.build_engine import training_phases
from t5mix.runs.start import starting_checkpoint
from t5mix.sweep.methods import Method, MethodVariant, Overrides, file_name
from t5mix.sweep.planned_runs import PlannedRun, identity
from t5mix.sweep.spec import Sweep
from t5mix.sweep.trial import TrialKey

_FROM_SCRATCH = "start_from=null"
_RUN_DIR = "RUN"  # stands for what differs from folder to folder and changes no result


@dataclasses.dataclass(frozen=True)
class Trial(TrialKey):
    """A trial that is planned.

    Attributes:
        run: the id of the run that is reported.
    """

    run: str


@dataclasses.dataclass(frozen=True)
class _RunName:
    """What a run is called: in messages, and in its folder's name."""

    label: str
    file: str

    @classmethod
    def of(cls, variant: MethodVariant, suffix: str) -> "_RunName":
        return cls(f"{variant.label}{suffix}", f"{variant.id}{file_name(suffix)}")


class SweepPlanner:
    """Turns methods, seeds and learning rates into runs; each is validated as `t5mix train` would.

    Args:
        sweep: the sweep.
        steps: of the reported runs of methods, where the budget decides them; by the label of the variant.
        tell: see `t5mix.config.compose.compose_experiment`.
    """

    def __init__(self, sweep: Sweep, steps: Mapping[str, int] | None = None, tell: Tell | None = None) -> None:
        self.sweep = sweep
        self.runs: dict[str, PlannedRun] = {}
        self._planned: dict[tuple[Any, ...], str] = {}
        self._steps = steps or {}
        self._composer = Composer(sweep.config, tell)
        self._checked: list[tuple[Any, ...]] = []
        self._checked_requests: set[str] = set()

    def trials(self, variant: MethodVariant, seed: int, learning_rate: float | None = None) -> list[Trial]:
        """Returns a method's trials with one seed and one learning rate: one, or one for each task.

        Raises:
            T5MixError: a run's settings are not allowed.
        """
        return [self.trial(variant, seed, learning_rate, task) for task in variant.trial_tasks]

    def trial(self, variant: MethodVariant, seed: int, learning_rate: float | None, task: str | None) -> Trial:
        """Plans the runs of a trial.

        Raises:
            T5MixError: a run's settings are not allowed.
        """
        sweep, method = self.sweep, variant.method
        early_seed = seed if sweep.seeded_shared_runs else sweep.seeds[0]
        first, parent = self._first(method), None
        for number, settings in enumerate(() if method.from_scratch else sweep.shared_runs):
            name = "shared" if number == 0 else f"shared-{number}"
            parent = self._run(_RunName(name, name), settings, early_seed, parent, first, shared=True)
        *earlier, reported = method.runs
        common = [*sweep.method_settings, *variant.settings]
        for number, settings in enumerate(earlier):
            name = _RunName.of(variant, f"-{number}{_task_suffix(task, settings)}")
            parent = self._run(name, [*common, *self._filled(settings, task)], early_seed, parent, first)
        last = [*common, *self._filled(reported, task)]
        if variant.label in self._steps:
            last.append(f"training.steps={self._steps[variant.label]}")
        if learning_rate is not None:
            assert sweep.tuning is not None
            last.append(f"{sweep.tuning.key}={learning_rate}")
        name = _RunName.of(variant, "" if task is None else f"-{task}")
        return Trial(variant.label, seed, learning_rate, task, self._run(name, last, seed, parent, first))

    def _first(self, method: Method) -> Overrides:
        """Returns what the settings of a chain's first run begin with: where its parameters come from."""
        if method.from_scratch:
            return (_FROM_SCRATCH,)
        return () if self.sweep.start_from is None else (f"start_from={json.dumps(self.sweep.start_from)}",)

    def _filled(self, settings: Overrides, task: str | None) -> list[str]:
        """Returns settings with the task, and the others, filled in."""
        if task is None:
            return list(settings)
        others = ",".join(other for other in self.sweep.tasks if other != task)
        return [setting.replace("{task}", task).replace("{others}", others) for setting in settings]

    def _run(
        self,
        name: _RunName,
        settings: Sequence[str],
        seed: int,
        parent: str | None,
        first: Overrides,
        *,
        shared: bool = False,
    ) -> str:
        """Plans a run, once, and returns its id."""
        overrides = (*(first if parent is None else ()), *self.sweep.settings, *settings, f"seed={seed}")
        if (key := (name, overrides, parent)) in self._planned:
            return self._planned[key]
        start = [] if parent is None else [f"start_from={parent}"]
        try:
            raw = self._composer.compose([*overrides, f"run_dir={_RUN_DIR}", *start])
            experiment = read_experiment(raw, self._origin(parent))
            if parent is None and first == (_FROM_SCRATCH,) and experiment.start_from is not None:
                raise T5MixError(
                    f"from_scratch is set, but its settings have start_from={experiment.start_from}: keep one."
                )
            self._check(experiment, first=parent is None)
        except T5MixError as error:
            raise T5MixError(f"{name.label}: {error}") from error
        run = PlannedRun(identity(experiment), name.file, self.sweep.config, overrides, parent, shared, experiment)
        self.runs.setdefault(run.id, run)
        self._planned[key] = run.id
        return run.id

    def _origin(self, parent: str | None) -> str | None:
        """Returns the checkpoint that a chain of runs starts from, which decides what they leave open."""
        while parent is not None and (run := self.runs[parent]).parent is not None:
            parent = run.parent
        return None if parent is None else self.runs[parent].experiment.start_from

    def _check(self, experiment: Experiment, *, first: bool) -> None:
        start = experiment.start_from if first else None
        experiment.mixing.check_steps(experiment.training.steps)
        request = dataclasses.replace(experiment.data_request(), seed=0).to_json()
        if request not in self._checked_requests:
            check_request(DataRequest.from_json(request))
            self._checked_requests.add(request)
        key = experiment.finetuning, experiment.model, experiment.training.steps, start
        if key not in self._checked:
            training_phases(experiment)  # asks the policy about every parameter
            if first:
                starting_checkpoint(experiment)
            self._checked.append(key)


def _task_suffix(task: str | None, settings: Sequence[str]) -> str:
    """Returns what the name of a run ends with: the task, if it depends on it."""
    depends = any("{task}" in setting or "{others}" in setting for setting in settings)
    return f"-{task}" if task is not None and depends else ""


def plan_trials(planner: SweepPlanner) -> list[Trial]:
    """Plans every trial that is known beforehand: all methods with all seeds and learning rates of the grids.

    Returns:
        The trials, tuning first: with the seeds of `tuning` all learning rates, with the others the grid's middle one,
        in whose place the chosen one will be.

    Raises:
        T5MixError: a run's settings are not allowed, or two methods are one and the same.
    """
    trials = list(_known_trials(planner))
    first_methods: dict[tuple[str, int, float | None, str | None], str] = {}
    for trial in trials:
        key = (trial.run, trial.seed, trial.learning_rate, trial.task)
        method = first_methods.setdefault(key, trial.method)
        if method != trial.method:
            raise T5MixError(
                f"The methods {method!r} and {trial.method!r} are the same runs: {planner.runs[trial.run].name}. "
                "Remove one of them, or give it the setting in which it should differ."
            )
    return trials


def _known_trials(planner: SweepPlanner) -> Iterator[Trial]:
    tuning = planner.sweep.tuning
    for variant in planner.sweep.variants.values():
        tuned_seeds = tuning.seeds if tuning is not None and variant.tuned else ()
        for seed, rate in itertools.product(tuned_seeds, variant.learning_rates):
            yield from planner.trials(variant, seed, rate)
        for seed in planner.sweep.seeds:
            if seed not in tuned_seeds:
                yield from planner.trials(variant, seed, variant.middle_rate)
