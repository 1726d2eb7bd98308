"""What data an evaluation scores a run on: the run's own stores, or what is prepared of a split, also of new files."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from t5mix.cache.request_checks import check_request
from t5mix.config.experiment import Experiment
from t5mix.console import wording
from t5mix.data.manifest import DataManifest, DataRequest, TaskEntry
from t5mix.data.prepare_client import prepare_in_subprocess
from t5mix.errors import T5MixError
from t5mix.sources.declaration import TaskDeclaration, no_targets
from t5mix.sources.file_names import MissingFileError
from t5mix.tracking.run_directory import RunDirectory


@dataclasses.dataclass(frozen=True)
class EvaluationData:
    """What is evaluated.

    Attributes:
        manifest: where the data lies.
        tasks: those of the manifest that are evaluated.
    """

    manifest: DataManifest
    tasks: Sequence[TaskEntry]


def evaluation_data(
    directory: RunDirectory,
    experiment: Experiment,
    split: str,
    names: Sequence[str] = (),
    *,
    as_recorded: bool = True,
    notice: Callable[[str], None] = lambda text: None,
) -> EvaluationData:
    """Finds or prepares a split of a run's tasks.

    Args:
        directory: the run's.
        experiment: the run's, which may name other files.
        split: the split.
        names: tasks of the run's mixture, by default all; those that lack the split, or targets in it, are left out.
        as_recorded: whether the data are those that the run recorded; if not, they are prepared in any case.
        notice: is told which tasks are left out, before the work begins.

    Raises:
        T5MixError: a task does not exist, a file is missing or wrong, or none of the tasks has the split with targets.
    """
    recorded = directory.manifest()
    request = directory.at_hand(experiment.data_request(splits=(split,)))
    if recorded is None:
        manifest = prepare_in_subprocess(dataclasses.replace(request, splits=tuple(dict.fromkeys(["train", split]))))
        return _chosen(manifest, split, names, notice)
    tasks = _tasks(recorded, names)
    splits = {task.name: _splits(task, request) for task in tasks}
    if all(known and split not in known for known in splits.values()):
        raise _no_split(split, splits)
    prepared = any(split in task.splits for task in tasks)
    if as_recorded and prepared and recorded.stores_exist():
        return _chosen(recorded, split, names, notice)
    wanted = [name for name, known in splits.items() if not known or split in known]
    without = _without_targets(dataclasses.replace(request, mixture=tuple(wanted)), split)
    if len(without) == len(wanted):
        raise T5MixError("\n".join(f"{name}: {no_targets(name, split)}" for name in without))
    if without:
        notice(f"no targets in the {split} split: {', '.join(without)} (t5mix predict --task answers the inputs)")
    manifest = prepare_in_subprocess(_preparation(request, [name for name in wanted if name not in without], splits))
    lacking = [task.name for task in tasks if task.name not in wanted]
    return _chosen(manifest, split, (), notice, lacking)


def _preparation(request: DataRequest, names: Sequence[str], splits: Mapping[str, Sequence[str]]) -> DataRequest:
    """Returns the request for some tasks; where it is not known which splits a task has, for the training split too."""
    (split,) = request.splits
    first = () if all(splits[name] for name in names) else ("train",)
    return dataclasses.replace(request, mixture=tuple(names), splits=tuple(dict.fromkeys([*first, split])))


def _splits(task: TaskEntry, request: DataRequest) -> Sequence[str]:
    """Returns the names of the splits that a task has; none where they are not known."""
    declared = request.declared.get(task.name)
    return task.all_splits if declared is None else tuple(declared["files"])


def _without_targets(request: DataRequest, split: str) -> list[str]:
    """Returns the names of the tasks whose split has no targets; checks names and files, see `check_moved`."""
    declarations = check_moved(request)
    named = [name for name in request.mixture if name in declarations]
    return [name for name in named if not declarations[name].has_targets(split)]


def check_moved(request: DataRequest) -> Mapping[str, TaskDeclaration]:
    """Checks the request of a run that was trained, whose files may lie elsewhere now; see `check_request`.

    Raises:
        T5MixError: see `check_request`; of a file that is missing, how to say where it lies.
    """
    try:
        return check_request(request)
    except T5MixError as error:
        if isinstance(error, MissingFileError) or isinstance(error.__cause__, MissingFileError):
            raise T5MixError(f"{error} If it lies elsewhere now, say where: tasks.NAME.files.SPLIT=FILE.") from error
        raise


def _tasks(manifest: DataManifest, names: Sequence[str]) -> list[TaskEntry]:
    """Returns the tasks that are named, or all, in the manifest's order."""
    for name in names:
        manifest.task(name)
    return [task for task in manifest.tasks if not names or task.name in names]


def _chosen(
    manifest: DataManifest,
    split: str,
    names: Sequence[str],
    notice: Callable[[str], None],
    lacking: Sequence[str] = (),
) -> EvaluationData:
    """Returns the tasks to evaluate, of those named or of all; says which lack the split."""
    tasks = _tasks(manifest, names)
    chosen = [task for task in tasks if split in task.splits]
    if not chosen:
        raise _no_split(split, {task.name: task.all_splits or tuple(task.splits) for task in tasks})
    streamed = [task.name for task in chosen if split == "train" and task.is_streamed]
    if streamed:
        raise T5MixError(
            f"The training split of {', '.join(streamed)} is streamed, and no store holds all of it. Evaluate another "
            "split, or name the other tasks."
        )
    if lacking := [*lacking, *(task.name for task in tasks if split not in task.splits)]:
        notice(f"no {split} split: {', '.join(lacking)}")
    return EvaluationData(manifest, chosen)


def _no_split(split: str, splits: Mapping[str, Sequence[str]]) -> T5MixError:
    known = dict.fromkeys(name for names in splits.values() for name in names)
    return T5MixError(f"None of the tasks has a split {split!r}. There are {wording.listed(list(known))}.")
