"""The floating-point operations of a run."""

from t5mix.config.experiment import Experiment
from t5mix.data.manifest import DataManifest
from t5mix.runs.build_engine import build_engine
from t5mix.training.costs import costs_of


def operations_of(experiment: Experiment, manifest: DataManifest) -> float:
    """Returns the floating-point operations of a whole run, as the compiler counts them; allocates nothing.

    Args:
        experiment: the run.
        manifest: its data.
    """
    phases = costs_of(build_engine(experiment, manifest), experiment.batch_shape).phases
    ends = [*(phase.start for phase in phases[1:]), experiment.training.steps]
    return float(sum(phase.flops * (end - phase.start) for phase, end in zip(phases, ends, strict=True)))
