"""Where a run starts: another run's checkpoint, whether it fits, and what of it the run's own checkpoints leave out."""

from pathlib import Path

from t5mix.checkpoint.reader import Base, base_of, identity_of, saved_shapes
from t5mix.config.experiment import Experiment
from t5mix.config.starting_checkpoint import SHAPE
from t5mix.errors import T5MixError
from t5mix.finetuning import POLICIES
from t5mix.model.t5 import abstract_model
from t5mix.runs.build_engine import parameter_shapes
from t5mix.runs.importing import starting_folder
from t5mix.runs.load import CheckpointMetadata
from t5mix.tracking.run_directory import RunDirectory, find_checkpoint, has_checkpoint
from t5mix.training.engine import Engine


def starting_checkpoint(experiment: Experiment) -> Path | None:
    """Returns the checkpoint that an experiment starts from, None for fresh parameters.

    Raises:
        T5MixError: there is none where it says, or one of another shape, or with modules that the run's model lacks.
    """
    if experiment.start_from is None:
        return None
    checkpoint = starting_folder(Path(experiment.start_from))
    metadata = CheckpointMetadata.read(checkpoint)
    _check_shape(checkpoint, metadata, experiment)
    _check_modules(checkpoint, metadata, experiment)
    return checkpoint


def vocabulary_of(checkpoint: Path) -> str:
    """Returns the identity of the vocabulary that a checkpoint was trained with."""
    return CheckpointMetadata.read(checkpoint).vocabulary.identity


def base_of_run(
    directory: RunDirectory, start_from: Path | None, engine: Engine, moved: str | None = None
) -> tuple[Base | None, frozenset[str]]:
    """Returns the checkpoint that a run's own build on, and the parameters that they leave out because it has them.

    A run that starts from another's parameters and leaves some as they are saves only the others.

    Args:
        directory: the run's folder; what its latest checkpoint, if it has one, leaves out, the later ones do too.
        start_from: the checkpoint that the run starts from.
        engine: the run's.
        moved: what a continued run is said to have started from, if that lies elsewhere now.

    Raises:
        T5MixError: there is no checkpoint where one is said to lie, or the run does not need it.
    """
    if has_checkpoint(directory.path):
        latest = find_checkpoint(directory.path)
        base = base_of(latest)
        if moved is not None:
            base = _moved_base(latest, base, moved)
        return base, frozenset(engine.params.keys() - saved_shapes(latest).keys())
    if start_from is None or not engine.phases.frozen:
        return None, frozenset()
    base = base_of(start_from)
    changed = saved_shapes(start_from).keys() if base else set()
    base = base or Base(start_from.absolute(), identity_of(start_from))
    return base, frozenset(engine.phases.frozen) & saved_shapes(base.path).keys() - changed


def _moved_base(checkpoint: Path, base: Base | None, start_from: str) -> Base:
    """Returns the base of a checkpoint where it lies now; whether it is the same is seen when it is read."""
    if base is None:
        raise T5MixError(
            f"start_from is {start_from}, which is not what the run started from. {checkpoint} holds all its "
            "parameters itself: leave start_from as it was, or choose another run_dir."
        )
    folder = starting_folder(Path(start_from))
    within = base_of(folder)
    return Base(within.path if within else folder.absolute(), base.identity)


def _check_shape(checkpoint: Path, metadata: CheckpointMetadata, experiment: Experiment) -> None:
    saved, configured = metadata.model, experiment.model
    differing = [
        f"model.{name} is {getattr(saved, name)} there and {getattr(configured, name)} here"
        for name in SHAPE
        if getattr(configured, name) not in (None, getattr(saved, name))  # the data decide an open vocab_size
    ]
    if differing:
        raise T5MixError(f"start_from: {checkpoint} holds another model: {'; '.join(differing)}.")


def _check_modules(checkpoint: Path, metadata: CheckpointMetadata, experiment: Experiment) -> None:
    """Refuses a checkpoint with modules that the run's model has no place for."""
    added = metadata.parameter_shapes().keys() - abstract_model(metadata.model)[1].keys()
    lost = sorted(added - parameter_shapes(experiment, metadata).keys())
    if lost:
        raise T5MixError(
            f"start_from: {checkpoint} holds what finetuning={metadata.kind} added, such as {lost[0]}, for which "
            f"finetuning={POLICIES.kind_of(experiment.finetuning)} has no place. Start with the same finetuning, or "
            "merge the checkpoint into a plain model first (t5mix delta merge)."
        )
