"""`t5mix policy`."""

import argparse
import dataclasses
import json
from typing import TYPE_CHECKING

from t5mix.console import units
from t5mix.console.stage import stage
from t5mix.console.tables import TextTable, print_table

if TYPE_CHECKING:
    from t5mix.runs.policy_report import PolicyReport
    from t5mix.training.costs import Costs, PhaseCosts


def run(options: argparse.Namespace) -> int:
    """Lists the policies, or shows what one trains and costs."""
    if options.show is None:
        return _list(options)
    with stage("Loading JAX"):
        from t5mix.cli.composing import compose_options
        from t5mix.config.reading import policy_to_dict, read_experiment
        from t5mix.runs.policy_report import report_policy

    chosen = [f"finetuning={options.show}"] if options.show else []
    raw = compose_options(options, chosen)
    raw["run_dir"] = raw.get("run_dir") or "-"
    raw["mixture"] = raw.get("mixture") or ["any"]
    experiment = read_experiment(raw)
    with stage("Counting the operations of a step"):
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
    shape = experiment.batch_shape
    title = (
        f"{policy_to_dict(report.policy)['kind']}, batches of {shape.rows} rows of {shape.inputs} and {shape.targets}"
    )
    print_table(title, _modules(report))
    print_table("costs, and their ratio to those of training everything", _costs(report))
    return 0


def _list(options: argparse.Namespace) -> int:
    with stage("Loading JAX"):
        from t5mix.finetuning import POLICIES
        from t5mix.plugins import import_plugins

        import_plugins(options.plugins, without_tensorflow=True)
    about = {kind: (cls.__doc__ or "").strip().splitlines()[0] for kind, cls in sorted(POLICIES.items())}
    if options.json:
        print(json.dumps(about, indent=1))
        return 0
    table = TextTable("policy", "what trains", wrapped=["what trains"])
    for kind, text in about.items():
        table.add_row(kind, text)
    print_table("", table)
    return 0


def _modules(report: "PolicyReport") -> TextTable:
    table = TextTable("module", "parameters", "trainable", "from step")
    starts = [phase.start for phase in report.costs.phases]
    for row in report.modules:
        begins = [starts[i] for i in range(len(starts)) if row.trained[i] > (row.trained[i - 1] if i else 0)]
        trained = units.count(row.trained[-1]) if row.trained[-1] else "-"
        table.add_row(row.name, units.count(row.parameters), trained, ", ".join(map(str, begins)) or "never")
    table.add_rule()
    table.add_row("all", units.count(report.costs.parameters), units.count(report.costs.phases[-1].trained), "")
    return table


def _costs(report: "PolicyReport") -> TextTable:
    """Returns what each phase costs; each figure is followed by its ratio to that of training everything."""
    (full,) = report.full.phases
    gradients = "gradients" if full.temporary_bytes is None else "activations"
    table = TextTable("from step", "trainable", "optimizer state", f"state and {gradients}", "operations of a step")

    def add(name: str, phase: "PhaseCosts", costs: "Costs") -> None:
        amounts = [
            (units.count(phase.trained), phase.trained / full.trained),
            (units.data_size(phase.optimizer_bytes), phase.optimizer_bytes / full.optimizer_bytes),
            (
                units.data_size(phase.memory(costs.parameter_bytes)),
                phase.memory(costs.parameter_bytes) / full.memory(report.full.parameter_bytes),
            ),
            (units.si_number(phase.flops), phase.flops / full.flops),
        ]
        table.add_row(name, *(f"{text}  {ratio:.3f}" for text, ratio in amounts))

    for phase in report.costs.phases:
        add(f"{phase.start:,}", phase, report.costs)
    table.add_rule()
    add("everything", full, report.full)
    return table
