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

from t5mix.console.tables import new_table, print_table
from t5mix.errors import T5MixError, UnknownNameError


def run(options: argparse.Namespace) -> int:
    """Runs a sweep, or shows what it would run."""
    environment = dict(os.environ)  # of the processes; this one leaves accelerators to them
    os.environ["JAX_PLATFORMS"] = "cpu"
    from t5mix.sweep.executors import usable_cores, visible_gpus
    from t5mix.sweep.folder import SweepFolder
    from t5mix.sweep.plan import SweepPlanner, check_all
    from t5mix.sweep.runner import Cores
    from t5mix.sweep.spec import load_sweep

    changes = _changes(options.overrides)
    scale = changes.pop("scale", None)
    sweep = load_sweep(find(options.sweep), scale, changes)
    folder = SweepFolder(Path(options.out or Path("sweeps", sweep.name if scale is None else f"{sweep.name}-{scale}")))
    there, gpus = usable_cores(), visible_gpus()
    each = options.cores or max(1, there // 4)
    jobs = options.jobs or (len(gpus) or max(1, there // each))
    known = folder.read("sweep.json")
    cores = Cores(each, max(each, there)) if known is None or options.cores else Cores(**known["cores"])
    folder.check(sweep, vars(cores))
    planner = SweepPlanner(sweep)
    trials = check_all(planner)
    _show_plan(planner, trials, cores, jobs, folder, gpus)
    if options.dry_run:
        return 0
    from t5mix.sweep.live_table import SweepProgress
    from t5mix.sweep.runner import Runner

    executor = _executor(options, folder, jobs, there, gpus, environment)
    display = SweepProgress(folder)
    try:
        with _sigterm_as_interrupt():
            failures = Runner(planner, folder, executor, cores, options.retries, display).run()
    except KeyboardInterrupt:
        display.close()
        print(f"Stopped; what was done is kept in {folder.path}. The same command continues.", file=sys.stderr)
        return 130
    finally:
        display.close()
        executor.close()
    causes = {failure["run"]["folder"]: failure for failure in failures}
    for name, failure in causes.items():
        print(f"Failed: {name}: {failure['why'].splitlines()[-1]}", file=sys.stderr)
        print(f"  log: {folder.path / failure['log']}\n  again: {failure['command']}", file=sys.stderr)
    if failures:
        print(f"{len(failures)} trials are missing; the same command tries them again.", file=sys.stderr)
    print(f"Done: {folder.path}. Next: t5mix report {folder.path}", file=sys.stderr)
    return 1 if failures else 0


def find(name: str) -> Path:
    """Returns the file of a sweep: one's own, or one of the package's by name.

    Raises:
        UnknownNameError: the package has none of that name.
    """
    if name.endswith((".yaml", ".yml")):
        return Path(name)
    files = resources.files("t5mix.sweep") / "presets"
    known = sorted(each.name.removesuffix(".yaml") for each in files.iterdir() if each.name.endswith(".yaml"))
    if name not in known:
        raise UnknownNameError("sweep", name, known, "A file of your own ends in .yaml.")
    return Path(str(files / f"{name}.yaml"))


def _changes(given: list[str]) -> dict[str, Any]:
    """Reads `scale=NAME`, fields of the sweep file, and settings of all runs."""
    from t5mix.sweep.spec import Sweep

    fields = {field.name for field in dataclasses.fields(Sweep)} | {"scale"}  # type: ignore[arg-type]
    changes: dict[str, Any] = {}
    settings = []
    for each in given:
        key, equals, value = each.partition("=")
        if not equals and not each.startswith("~"):  # which takes a setting of the configuration out
            raise T5MixError(f"{each!r} is no setting: write key=value, such as scale=tiny or training.steps=50.")
        if key in fields:
            changes[key] = yaml.safe_load(value)
        else:
            settings.append(each)
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
    found = {"PYTHONPATH": import_path()}
    if options.executor == "ray":
        return RayExecutor(options.address, options.jobs, options.gpus, found)
    cluster = "slurm" if options.executor == "slurm" else "local"
    extra = {key: yaml.safe_load(value) for key, _, value in (each.partition("=") for each in options.option)}
    most = options.jobs or (100 if cluster == "slurm" else jobs)
    return SubmititExecutor(cluster, folder.path.absolute() / "submitit", most, options.gpus, found, extra)


def _show_plan(planner: Any, trials: Any, cores: Any, jobs: int, folder: Any, gpus: list[str]) -> None:
    from t5mix.sweep.estimate import estimate_sweep

    sweep = planner.sweep
    table = new_table("method", "runs", "steps", "learning rates", "seeds")
    for name in planner.methods():
        own = {trial.run for trial in trials if trial.method == name}
        rates = [rate for rate in planner.learning_rates(name) if rate is not None]
        steps = sorted({planner.runs[run].steps for run in own})
        table.add_row(
            name,
            str(len(own)),
            ", ".join(f"{count:,}" for count in steps),
            ", ".join(f"{rate:g}" for rate in rates) or "as configured",
            ", ".join(map(str, sweep.seeds)),
        )
    console = print_table(sweep.title or sweep.name, table, stderr=True)
    about = estimate_sweep(planner, trials, cores, jobs)
    span = f"roughly {max(1, about.seconds / 60):,.0f} minutes" if not gpus else "a time that the first runs will tell"
    console.print(
        f"{about.runs} runs, those that others start from included, {about.steps:,} steps; {jobs} at once, each on "
        f"{cores.trial} of the cores; {span}, up to {about.disk_bytes / 2**20:,.0f} MiB in {folder.path}.",
        highlight=False,
        soft_wrap=True,
    )
    if len(sweep.seeds) < 2:
        console.print("With one seed there are no intervals: give two or more, such as seeds=[0,1,2].", soft_wrap=True)


@contextlib.contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """A context in which SIGTERM stops the sweep as Ctrl-C does."""

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
