"""`t5mix sweep`."""

import argparse
import contextlib
import dataclasses
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from t5mix.cli.composing import tell
from t5mix.console import units
from t5mix.console.tables import new_table, print_table
from t5mix.errors import T5MixError, UnknownNameError
from t5mix.interrupts import signal_of


def run(options: argparse.Namespace) -> int:
    """Runs a sweep, or shows what it would run."""
    environment = dict(os.environ)  # of the processes; this one leaves accelerators to them
    os.environ["JAX_PLATFORMS"] = "cpu"
    from t5mix.sweep.executors import CoresPerRun, usable_cores, visible_gpus
    from t5mix.sweep.folder import SweepFolder
    from t5mix.sweep.plan import SweepPlanner, plan_trials
    from t5mix.sweep.sweep_file import load_sweep

    changes = _changes(options.overrides)
    scale = changes.pop("scale", None)
    sweep = load_sweep(find_sweep_file(options.sweep), scale, changes, tell)
    folder = SweepFolder(Path(options.out or Path("sweeps", sweep.name if scale is None else f"{sweep.name}-{scale}")))
    usable, gpus = usable_cores(), visible_gpus()
    per_trial = options.cores or max(1, usable // 4)
    jobs = options.jobs or (len(gpus) or max(1, usable // per_trial))
    begun = folder.read("sweep.json")
    cores = CoresPerRun(per_trial, max(per_trial, usable))
    if begun is not None and not options.cores:
        cores = CoresPerRun(**begun["cores"])
    folder.check(sweep, vars(cores))
    planner = SweepPlanner(sweep, tell=tell)
    trials = plan_trials(planner)
    _show_plan(planner, trials, cores, jobs, folder, gpus)
    if options.dry_run:
        return 0
    from t5mix.sweep.live_table import SweepProgress
    from t5mix.sweep.runner import Runner

    executor = _executor(options, folder, jobs, usable, gpus, environment)
    display = SweepProgress(folder)
    try:
        with _signals_as_interrupts():
            failures = Runner(planner, folder, executor, cores, options.retries, display).run()
    except KeyboardInterrupt as interrupt:
        display.close()
        print(f"Stopped; what was done is kept in {folder.path}. The same command continues.", file=sys.stderr)
        return 128 + (signal_of(interrupt) or 0)
    finally:
        display.close()
        executor.close()
    causes = {failure.run.folder: failure for failure in failures}
    for name, failure in causes.items():
        print(f"Failed: {name}: {failure.reason}", file=sys.stderr)
        print(f"  log: {folder.path / failure.log}\n  again: {failure.command}", file=sys.stderr)
    if failures:
        print(f"{len(failures)} trials are missing; the same command tries them again.", file=sys.stderr)
    print(f"Done: {folder.path}. Next: t5mix report {folder.path}", file=sys.stderr)
    return 1 if failures else 0


def find_sweep_file(name: str) -> Path:
    """Returns the file of a sweep: one's own, or one of the package's by name.

    Raises:
        UnknownNameError: the package has none of that name.
    """
    if name.endswith((".yaml", ".yml")):
        return Path(name)
    files = resources.files("t5mix.sweep") / "presets"
    names = sorted(file.name.removesuffix(".yaml") for file in files.iterdir() if file.name.endswith(".yaml"))
    if name not in names:
        raise UnknownNameError("sweep", name, names, "A file of your own ends in .yaml.")
    return Path(str(files / f"{name}.yaml"))


def _changes(overrides: list[str]) -> dict[str, Any]:
    """Reads `scale=NAME`, fields of the sweep file, and settings of all runs."""
    from t5mix.sweep.spec import RENAMED_KEYS, Sweep

    fields = {field.name for field in dataclasses.fields(Sweep)} | {"scale", *RENAMED_KEYS}  # type: ignore[arg-type]
    changes: dict[str, Any] = {}
    settings: list[str] = []
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals and not override.startswith("~"):  # which takes a setting of the configuration out
            raise T5MixError(f"{override!r} is no setting: write key=value, such as scale=tiny or training.steps=50.")
        if key in fields:
            changes[key] = yaml.safe_load(value)
        else:
            settings.append(override)
    if settings:
        changes["settings"] = settings
    return changes


def _executor(
    options: argparse.Namespace,
    folder: Any,
    jobs: int,
    cores: int,
    gpus: list[str],
    environment: Mapping[str, str],
) -> Any:
    from t5mix.subprocesses import import_path
    from t5mix.sweep.cluster_executors import RayExecutor, SubmititExecutor
    from t5mix.sweep.executors import LocalExecutor

    if options.executor == "local":
        return LocalExecutor(jobs, cores, gpus, {**environment, "PYTHONPATH": import_path()})
    worker_environment = {"PYTHONPATH": import_path()}
    if options.executor == "ray":
        return RayExecutor(options.address, options.jobs, options.gpus, worker_environment)
    cluster = "slurm" if options.executor == "slurm" else "local"
    extra = {key: yaml.safe_load(value) for key, _, value in (option.partition("=") for option in options.option)}
    most = options.jobs or (100 if cluster == "slurm" else jobs)
    return SubmititExecutor(cluster, folder.path.absolute() / "submitit", most, options.gpus, worker_environment, extra)


def _show_plan(planner: Any, trials: Any, cores: Any, jobs: int, folder: Any, gpus: list[str]) -> None:
    from t5mix.sweep.estimate import estimate_sweep

    sweep = planner.sweep
    table = new_table("method", "runs", "steps", "learning rates", "seeds")
    for label, variant in sweep.variants.items():
        runs = {trial.run for trial in trials if trial.method == label}
        steps = sorted({planner.runs[run].steps for run in runs})
        table.add_row(
            label,
            str(len(runs)),
            ", ".join(f"{count:,}" for count in steps),
            ", ".join(f"{rate:g}" for rate in variant.learning_rates) or "as configured",
            ", ".join(map(str, sweep.seeds)),
        )
    console = print_table(sweep.title or sweep.name, table, stderr=True)
    estimate = estimate_sweep(planner, trials, cores, jobs)
    span = (
        f"roughly {units.duration(max(60, estimate.seconds))}" if not gpus else "a time that the first runs will tell"
    )
    console.print(
        f"{estimate.runs} runs, those that others start from included, {estimate.steps:,} steps; {jobs} at once, each "
        f"on {cores.trial} of the cores; {span}, up to {units.data_size(estimate.disk_bytes)} in {folder.path}.",
        highlight=False,
        soft_wrap=True,
    )
    if len(sweep.seeds) < 2:
        console.print("With one seed there are no intervals: give two or more, such as seeds=[0,1,2].", soft_wrap=True)


@contextlib.contextmanager
def _signals_as_interrupts() -> Iterator[None]:
    """A context in which SIGTERM and Ctrl-C stop the sweep, and its processes have the time they need to end."""

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt(number)

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
