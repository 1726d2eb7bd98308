"""`t5mix mixtures`."""

import argparse
import dataclasses
import json

from rich.console import Console
from rich.table import Table

from t5mix.composition import compose_experiment


def run(options: argparse.Namespace) -> int:
    """Lists the mixtures, or shows what one will draw."""
    if options.show is None:
        return _list(options)
    from t5mix.experiment import read_experiment
    from t5mix.forecast import forecast

    names = options.show.split(",")
    arguments = [f"mixture={json.dumps(names)}", "run_dir=unused", *options.overrides]
    experiment = read_experiment(compose_experiment(options.config, arguments))
    result = forecast(experiment, options.steps)
    if options.json:
        print(json.dumps(dataclasses.asdict(result), indent=1))
        return 0
    rows = experiment.training.rows
    table = Table(title=f"{options.show} with {experiment.mixing}, {options.steps} steps of {rows} rows")
    for heading in ("task", "size", "rate", "proportion", "examples", "tokens", "epochs", "truncated"):
        table.add_column(heading, justify="left" if heading == "task" else "right")
    for task in result.tasks:
        table.add_row(
            task.name,
            f"{task.size:,}",
            "" if task.rate is None else f"{task.rate:,.4g}",
            f"{task.proportion:.4f}",
            f"{task.examples:,.0f}",
            f"{task.tokens:,.0f}",
            f"{task.epochs:.2f}",
            f"{task.truncated:.1%}" if task.truncated else "",
        )
    console = Console()
    console.print(table)
    console.print(
        f"Expected, from packing {result.planned_steps} batches: {result.examples_per_step:.1f} examples a step; "
        f"{result.inputs_filled:.1%} of encoder and {result.targets_filled:.1%} of decoder positions filled."
    )
    return 0


def _list(options: argparse.Namespace) -> int:
    from t5mix.data.inspection import list_mixtures

    table = Table("mixture", "tasks")
    for name, tasks in list_mixtures(options.plugins).items():
        table.add_row(name, ", ".join(tasks))
    Console().print(table)
    return 0
