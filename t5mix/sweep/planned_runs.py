"""The training runs of a sweep: what identifies one, what it starts from, where it goes."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from t5mix.config.experiment import Experiment
from t5mix.files import expand_home, sha256_of_json
from t5mix.sweep.methods import Overrides

_WITHOUT_EFFECT = ("run_dir", "store_dir", "mesh", "distributed")
"""Settings that change no result."""


@dataclasses.dataclass(frozen=True)
class PlannedRun:
    """One training run of a sweep. Trials that begin alike share the runs that they begin with.

    Attributes:
        id: the hash of its experiment and of its parent's id; the same id means the same result.
        name: for people, and for its folder.
        config: the configuration that it varies.
        overrides: its settings, without folders.
        parent: the id of the run that it starts from; None for fresh parameters.
        shared: whether it is one of the sweep's `shared_runs`.
        experiment: what it is, but for folders.
    """

    id: str
    name: str
    config: str
    overrides: Overrides
    parent: str | None
    shared: bool
    experiment: Experiment = dataclasses.field(repr=False, compare=False)

    @property
    def steps(self) -> int:
        """Its length."""
        return self.experiment.training.steps

    @property
    def folder(self) -> str:
        """The name of its folder."""
        return f"{self.name}-{self.id[:8]}"


def identity(experiment: Experiment) -> str:
    """Returns the hash of all that decides a run's result."""
    plain = {key: value for key, value in experiment.to_json().items() if key not in _WITHOUT_EFFECT}
    return sha256_of_json(plain)


def with_ancestors(runs: Mapping[str, PlannedRun], ids: Sequence[str]) -> list[PlannedRun]:
    """Returns runs together with those that they start from, each once, after the one that it starts from.

    Args:
        runs: all runs, by id.
        ids: of the runs that are asked for.
    """
    ordered: dict[str, PlannedRun] = {}
    for run_id in ids:
        chain: list[str] = []
        ancestor: str | None = run_id
        while ancestor is not None and ancestor not in ordered:
            chain.append(ancestor)
            ancestor = runs[ancestor].parent
        ordered.update((ancestor, runs[ancestor]) for ancestor in reversed(chain))
    return list(ordered.values())


def experiment_in(folder: Path, run: PlannedRun, runs: Mapping[str, PlannedRun]) -> Experiment:
    """Returns a run's experiment with its folders filled in.

    Args:
        folder: that holds the folders of all runs.
        run: the run.
        runs: all of them, by id.
    """
    start: Path | None = None
    if run.parent is not None:
        start = folder / runs[run.parent].folder
    elif run.experiment.start_from is not None:
        start = Path(run.experiment.start_from).expanduser().absolute()
    return dataclasses.replace(
        run.experiment,
        run_dir=str(folder / run.folder),
        start_from=None if start is None else str(start),
        store_dir=str(expand_home(run.experiment.store_dir, "store_dir").absolute()),
    )


def sweep_manifest(runs: Mapping[str, PlannedRun]) -> dict[str, Any]:
    """Returns runs as plain data."""
    return {
        "runs": [
            {
                "name": run.name,
                "folder": f"runs/{run.folder}",
                "config": run.config,
                "settings": list(run.overrides),
                "starts_from": run.experiment.start_from if run.parent is None else f"runs/{runs[run.parent].folder}",
                "steps": run.steps,
            }
            for run in runs.values()
        ],
    }
