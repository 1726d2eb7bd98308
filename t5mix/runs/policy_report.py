"""What an experiment's fine-tuning policy trains and costs, before anything is trained."""

import dataclasses

from t5mix.config.experiment import Experiment
from t5mix.finetuning import FineTuningPolicy, Full
from t5mix.runs.build_engine import build_engine
from t5mix.training.costs import Costs, ModuleRow, costs_of, modules


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
    """Returns what an experiment's policy trains and costs; prepares no data and allocates nothing.

    Args:
        experiment: for the model, the batch, the optimizer and the length of the run.
        compiled: see `costs_of`.

    Raises:
        T5MixError: the policy does not fit the model or the run.
    """
    engine = build_engine(experiment)
    full = dataclasses.replace(experiment, finetuning=Full())
    return PolicyReport(
        engine.policy.policy,
        modules(engine),
        costs_of(engine, experiment.batch_shape, compiled=compiled),
        costs_of(build_engine(full), full.batch_shape, compiled=compiled),
    )
