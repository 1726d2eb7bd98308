"""Checks of a sweep against its data, before the first trial: tasks, splits and metrics are there."""

import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path

from t5mix.data.manifest import DataManifest, DataRequest
from t5mix.errors import T5MixError, UnknownNameError
from t5mix.metrics.catalogue import values_by_name
from t5mix.runs.importing import starting_folder
from t5mix.runs.start import vocabulary_of
from t5mix.sweep.plan import SweepPlanner, Trial
from t5mix.sweep.planned_runs import with_ancestors
from t5mix.sweep.reported_metrics import has_score, reported_metrics
from t5mix.sweep.spec import Sweep


def data_splits(sweep: Sweep) -> tuple[str, ...]:
    """Returns the splits that all runs of a sweep prepare."""
    scored = (sweep.split,) if sweep.tuning is None else (sweep.tuning.split, sweep.split)
    return tuple(dict.fromkeys(("train", "validation", *scored)))


def check_data(planner: SweepPlanner, trials: Iterable[Trial], prepare: Callable[[DataRequest], DataManifest]) -> None:
    """Prepares the data that the reported runs need, and checks that all that is to be reported is there.

    Raises:
        T5MixError: the data cannot be prepared; a task that is reported is in no run, has no metrics or not the one
            that is asked for, or lacks a split.
    """
    sweep, splits = planner.sweep, data_splits(planner.sweep)
    runs = [planner.runs[identity] for identity in dict.fromkeys(trial.run for trial in trials)]
    experiments = [run.experiment for run in runs]
    declared = {name: task for experiment in experiments for name, task in experiment.tasks.items()}
    streamed = {name: count for experiment in experiments for name, count in experiment.streamed.items()}
    mixtures: dict[str, dict[str, None]] = {}  # by request, but for the mixture
    for run in runs:
        request = run.experiment.data_request(splits)
        start = with_ancestors(planner.runs, [run.id])[0].experiment.start_from
        alike = dataclasses.replace(
            request,
            mixture=(),
            seed=0,
            declared=declared,
            streamed=streamed,
            start_vocabulary=None if start is None else vocabulary_of(starting_folder(Path(start))),
        )
        mixtures.setdefault(alike.to_json(), {}).update(dict.fromkeys(request.mixture))
    entries = {}
    for alike, mixture in mixtures.items():
        request = dataclasses.replace(DataRequest.from_json(alike), mixture=tuple(mixture))
        entries.update({task.name: task for task in prepare(request).tasks})
    reported = sweep.tasks or tuple(name for name, task in entries.items() if has_score(task.metrics))
    if not reported:
        raise T5MixError(f"None of the tasks has a metric: {', '.join(entries)}.")
    in_columns = (name for column in sweep.columns.values() for name in column.weights)
    in_claims = (name for claim in sweep.hypotheses.values() for name in (*claim.tasks, *claim.minus_tasks))
    for name in (*in_columns, *in_claims, *sweep.metrics):
        if name not in reported:
            raise UnknownNameError("task", name, reported, "The sweep reports no other.")
    for name in reported:
        if name not in entries:
            raise UnknownNameError("task", name, entries, "The runs train no other.")
        if missing := [split for split in splits if split not in entries[name].splits]:
            raise T5MixError(
                f"The task {name!r} has no split {missing[0]!r}; it has {', '.join(entries[name].splits)}."
            )
        if not entries[name].metrics:
            raise T5MixError(f"The task {name!r} has no metric, and the sweep reports it. Name others under tasks.")
        if (values := value_names(entries[name].metrics)) is not None:
            reported_metrics(sweep, name, values)


def value_names(functions: Iterable[str]) -> list[str] | None:
    """Returns the values that metric functions give, headline first; None if one of them is not ours."""
    names: list[str] = []
    for function in functions:
        values = values_by_name(function)
        if values is None:
            return None
        names += values
    return names
