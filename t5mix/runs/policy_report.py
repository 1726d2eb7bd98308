"""What an experiment's fine-tuning policy trains and costs, before anything is trained or any data prepared."""

import dataclasses

from t5mix.config.experiment import Experiment
from t5mix.data.manifest import DataManifest
from t5mix.finetuning import Full
from t5mix.finetuning.base import FineTuningPolicy, for_tasks
from t5mix.finetuning.per_task import bank_of
from t5mix.training.costs import Costs, ModuleRow, costs_of, modules
from t5mix.training.engine import Engine

T5_VOCABULARY = 32_128
"""Ids of T5's own vocabulary, taken where the model's size is left to the data."""


@dataclasses.dataclass(frozen=True)
class PolicyReport:
    """What a policy trains and costs.

    Attributes:
        policy: the policy.
        modules: what of each module trains.
        costs: what it costs.
        full: what training everything costs, on the same batch.
    """

    policy: FineTuningPolicy
    modules: list[ModuleRow]
    costs: Costs
    full: Costs


def report_policy(experiment: Experiment, *, compiled: bool = False) -> PolicyReport:
    """Returns what an experiment's policy trains and costs; allocates nothing.

    Args:
        experiment: for the model, the batch, the optimizer and the length of the run.
        compiled: see `costs_of`.

    Raises:
        T5MixError: the policy does not fit the model or the run.
    """
    policy = experiment.finetuning
    bank = bank_of(policy)
    policy = for_tasks(policy, bank.tasks if bank and bank.tasks else experiment.mixture)
    full = dataclasses.replace(experiment, finetuning=Full())
    with_policy = dataclasses.replace(experiment, finetuning=policy)
    engine = _engine(with_policy)
    costs = costs_of(engine, with_policy.batch_shape, compiled=compiled)
    return PolicyReport(policy, modules(engine), costs, costs_of(_engine(full), full.batch_shape, compiled=compiled))


def phase_starts(experiment: Experiment) -> tuple[int, ...]:
    """Returns the step at which each phase of a run begins."""
    bank = bank_of(experiment.finetuning)
    policy = for_tasks(experiment.finetuning, bank.tasks if bank and bank.tasks else experiment.mixture)
    return _engine(dataclasses.replace(experiment, finetuning=policy)).phases.starts


def operations_of(experiment: Experiment, manifest: DataManifest) -> float:
    """Returns the floating-point operations of a whole run, as the compiler counts them; allocates nothing.

    Args:
        experiment: the run.
        manifest: its data.
    """
    policy = for_tasks(experiment.finetuning, [task.name for task in manifest.tasks])
    engine = _engine(
        dataclasses.replace(experiment, finetuning=policy, model=experiment.model_for(manifest.vocabulary))
    )
    phases = costs_of(engine, experiment.batch_shape).phases
    ends = [*(phase.start for phase in phases[1:]), experiment.training.steps]
    return float(sum(phase.flops * (end - phase.start) for phase, end in zip(phases, ends, strict=True)))


def _engine(experiment: Experiment) -> Engine:
    model = experiment.model
    if model.vocab_size is None:
        model = dataclasses.replace(model, vocab_size=T5_VOCABULARY)
    policy, training = experiment.finetuning, experiment.training
    tasks = len(bank.tasks) if (bank := bank_of(policy)) else 1
    return Engine(
        model, policy, experiment.optimizer, experiment.schedule, training, experiment.mesh, tasks, experiment.seed
    )
