"""`t5mix sweep`."""

import argparse
import contextlib
import dataclasses
import json
import os
import shlex
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t5mix.cli.composing import tell
from t5mix.console import units
from t5mix.console.stage import stage
from t5mix.console.tables import TextTable, print_table
from t5mix.errors import T5MixError, UnknownNameError
from t5mix.files import check_writable
from t5mix.interrupts import signal_of
from t5mix.yaml_files import is_yaml, packaged_yaml, parse_yaml

if TYPE_CHECKING:
    from t5mix.sweep.estimate import SweepEstimate
    from t5mix.sweep.plan_summary import PlanSummary


def run(options: argparse.Namespace) -> int:
    """Runs a sweep, or shows what it would run."""
    if options.json and not options.dry_run:
        raise T5MixError("--json is for the plan: give it together with --dry-run.")
    environment = dict(os.environ)  # of the processes; this one leaves accelerators to them
    os.environ["JAX_PLATFORMS"] = "cpu"
    from t5mix.sweep.cluster_executors import check_executor
    from t5mix.sweep.sweep_file import load_sweep

    if not options.dry_run:
        check_executor(options.executor)
    changes = _changes(options.overrides)
    scale = changes.pop("scale", None)
    sweep = load_sweep(find_sweep_file(options.sweep), scale, changes, tell)
    with stage("Loading JAX"):
        from t5mix.sweep.estimate import estimate_sweep
        from t5mix.sweep.plan import SweepPlanner, plan_trials
    from t5mix.sweep.executors import CoresPerRun, usable_cores, visible_gpus
    from t5mix.sweep.folder import SweepFolder
    from t5mix.sweep.plan_summary import summarise_plan

    folder = SweepFolder(Path(options.out or Path("sweeps", sweep.name if scale is None else f"{sweep.name}-{scale}")))
    if not options.dry_run:
        check_writable(folder.path, "--out")
    usable, gpus = usable_cores(), visible_gpus()
    per_trial = options.cores or max(1, usable // 4)
    jobs = options.jobs or (len(gpus) or max(1, usable // per_trial))
    begun = folder.read("sweep.json")
    cores = CoresPerRun(per_trial, max(per_trial, usable))
    if begun is not None and not options.cores:
        cores = CoresPerRun(**begun["cores"])
    folder.check(sweep, vars(cores))
    planner = SweepPlanner(sweep, tell=tell)
    with stage("Planning and checking all runs"):
        trials = plan_trials(planner)
        summary, estimate = summarise_plan(planner, trials), estimate_sweep(planner, trials, cores, jobs)
    plan = _plan(summary, estimate, cores=cores.trial, at_once=jobs, folder=folder.path, known_speed=not gpus)
    if options.json:
        print(json.dumps({"sweep": sweep.name, **plan}, indent=1))
    else:
        _show_plan(plan, summary, sweep.title or sweep.name, stderr=not options.dry_run)
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
    print(f"Done: {folder.path}. Next: t5mix report {shlex.quote(str(folder.path))}", file=sys.stderr)
    return 1 if failures else 0


def find_sweep_file(name: str) -> Path:
    """Returns the file of a sweep: one's own, or one of the package's by name.

    Raises:
        UnknownNameError: the package has none of that name.
    """
    if is_yaml(name):
        return Path(name)
    files = packaged_yaml("t5mix.sweep", "presets")
    if name not in files:
        raise UnknownNameError("sweep", name, files, "A file of your own ends in .yaml.")
    return files[name]


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
            changes[key] = parse_yaml(value, override)
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
    extra = {
        key: parse_yaml(value, f"--option {key}")
        for key, _, value in (option.partition("=") for option in options.option)
    }
    most = options.jobs or (100 if cluster == "slurm" else jobs)
    return SubmititExecutor(cluster, folder.path.absolute() / "submitit", most, options.gpus, worker_environment, extra)


def _show_plan(plan: Mapping[str, Any], summary: "PlanSummary", title: str, *, stderr: bool) -> None:
    """Shows the plan as a table and a sentence; `plan` is what `_plan` gives."""
    headings = ("method", "tuning runs", "test runs", "steps", "learning rates", "seeds")
    table = TextTable(*headings, wrapped=("steps", "learning rates", "seeds"))
    for method in summary.methods:
        table.add_row(
            method.method,
            units.count(method.tuning_runs),
            units.count(method.test_runs),
            ", ".join(map(units.count, method.steps)),
            ", ".join(map(units.learning_rate, method.learning_rates)) or "as configured",
            ", ".join(map(str, method.seeds)),
        )
    print_table(title, table, stderr=stderr)
    out = sys.stderr if stderr else sys.stdout
    seconds = plan["seconds"]
    span = "a time that the first runs will tell" if seconds is None else f"roughly {units.duration(max(60, seconds))}"
    print(
        f"{summary.total:,} runs: {summary.parent_runs:,} that others start from, {summary.tuning_runs:,} to tune "
        f"learning rates, {summary.test_runs:,} to test; {plan['trained_runs']:,} of them train, {plan['steps']:,} "
        f"steps; {plan['at_once']} at once, each on {plan['cores']} of the cores; {span}, up to "
        f"{units.data_size(plan['disk_bytes'])} in {plan['folder']}.",
        file=out,
    )
    if all(len(method.seeds) < 2 for method in summary.methods):
        print("With one seed there are no intervals: give two or more, such as seeds=[0,1,2].", file=out)


def _plan(
    summary: "PlanSummary", estimate: "SweepEstimate", *, cores: int, at_once: int, folder: Path, known_speed: bool
) -> dict[str, Any]:
    """Returns the plan as plain data."""
    return {
        "methods": [dataclasses.asdict(method) for method in summary.methods],
        "parent_runs": summary.parent_runs,
        "tuning_runs": summary.tuning_runs,
        "test_runs": summary.test_runs,
        "runs": summary.total,
        "trained_runs": estimate.runs,
        "steps": estimate.steps,
        "at_once": at_once,
        "cores": cores,
        "seconds": estimate.seconds if known_speed else None,
        "disk_bytes": estimate.disk_bytes,
        "folder": str(folder),
    }


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
