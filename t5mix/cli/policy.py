"""`t5mix policy`."""

import argparse
import dataclasses
import json
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from t5mix.runs.policy_report import PolicyReport
    from t5mix.training.costs import Costs, PhaseCosts


def run(options: argparse.Namespace) -> int:
    """Lists the policies, or shows what one trains and costs."""
    if options.show is None:
        return _list(options)
    from t5mix.config.compose import compose_experiment
    from t5mix.config.experiment import policy_to_dict, read_experiment
    from t5mix.runs.policy_report import report_policy

    chosen = [f"finetuning={options.show}"] if options.show else []
    raw = compose_experiment(options.config, [*chosen, *options.overrides])
    raw["run_dir"] = raw.get("run_dir") or "-"
    raw["mixture"] = raw.get("mixture") or ["any"]
    experiment = read_experiment(raw)
    if not options.json:
        print("Counting the operations of a step ...", file=sys.stderr)
    report = report_policy(experiment, compiled=options.compile)
    if options.json:
        plain = {
            "policy": policy_to_dict(report.policy),
            "modules": [row._asdict() for row in report.modules],
            "costs": dataclasses.asdict(report.costs),
            "full": dataclasses.asdict(report.full),
        }
        print(json.dumps(plain, indent=1))
        return 0
    console = Console()
    shape = experiment.batch_shape
    title = (
        f"{policy_to_dict(report.policy)['kind']}, batches of {shape.rows} rows of {shape.inputs} and {shape.targets}"
    )
    console.print(_modules(report, title))
    console.print(_costs(report))
    return 0


def _list(options: argparse.Namespace) -> int:
    from t5mix.finetuning import POLICIES
    from t5mix.plugins import import_plugins

    import_plugins(options.plugins, without_tensorflow=True)
    about = {kind: (cls.__doc__ or "").strip().splitlines()[0] for kind, cls in sorted(POLICIES.items())}
    if options.json:
        print(json.dumps(about, indent=1))
        return 0
    table = Table("policy", "what trains")
    for kind, text in about.items():
        table.add_row(kind, text)
    Console().print(table)
    return 0


def _modules(report: "PolicyReport", title: str) -> Table:
    table = Table(title=title)
    table.add_column("module")
    for name in ("parameters", "trainable", "from step"):
        table.add_column(name, justify="right")
    starts = [phase.start for phase in report.costs.phases]
    for row in report.modules:
        begins = [starts[i] for i in range(len(starts)) if row.trained[i] > (row.trained[i - 1] if i else 0)]
        trained = f"{row.trained[-1]:,}" if row.trained[-1] else "-"
        table.add_row(row.name, f"{row.parameters:,}", trained, ", ".join(map(str, begins)) or "never")
    table.add_section()
    table.add_row("all", f"{report.costs.parameters:,}", f"{report.costs.phases[-1].trained:,}", "")
    return table


def _costs(report: "PolicyReport") -> Table:
    (full,) = report.full.phases
    gradients = "gradients" if full.temporary_bytes is None else "activations"
    table = Table(title="costs, and their ratio to those of training everything")
    for name in ("from step", "trainable", "optimizer state", f"state and {gradients}", "operations of a step"):
        table.add_column(name, justify="right")

    def add(name: str, phase: "PhaseCosts", costs: "Costs") -> None:
        figures = [
            (f"{phase.trained:,}", phase.trained / full.trained),
            (_bytes(phase.optimizer_bytes), phase.optimizer_bytes / full.optimizer_bytes),
            (
                _bytes(phase.memory(costs.parameter_bytes)),
                phase.memory(costs.parameter_bytes) / full.memory(report.full.parameter_bytes),
            ),
            (f"{phase.flops:.3g}", phase.flops / full.flops),
        ]
        table.add_row(name, *(f"{text}  {ratio:.3f}" for text, ratio in figures))

    for phase in report.costs.phases:
        add(str(phase.start), phase, report.costs)
    table.add_section()
    add("everything", full, report.full)
    return table


def _bytes(number: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.4g} {unit}"
        number /= 1024
    return f"{number:.4g} GiB"
