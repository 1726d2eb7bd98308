"""`t5mix tasks`."""

import argparse
import dataclasses
import json

from rich.console import Console
from rich.table import Table
from rich.text import Text

from t5mix.config.compose import compose_experiment


def run(options: argparse.Namespace) -> int:
    """Lists the tasks, or shows what the model will see of one."""
    return _list(options) if options.show is None else _show(options)


def _list(options: argparse.Namespace) -> int:
    from t5mix.cache.inspection import list_tasks

    table = Table("task", "source", "splits", "metrics", "mixtures")
    for task in list_tasks(options.plugins):
        splits = (f"{split} {task.sizes[split]:,}" if split in task.sizes else split for split in task.splits)
        table.add_row(task.name, task.source, "\n".join(splits), "\n".join(task.metrics), "\n".join(task.mixtures))
        table.add_section()
    Console().print(table)
    return 0


def _show(options: argparse.Namespace) -> int:
    from t5mix.config.reading import read_experiment

    arguments = [f"mixture={json.dumps([options.show])}", "run_dir=unused", *options.overrides]
    experiment = read_experiment(compose_experiment(options.config, arguments))
    from t5mix.cache.inspection import inspect_task

    view = inspect_task(experiment.data_request(), options.show, options.split, count=options.examples)
    if options.json:
        print(json.dumps(dataclasses.asdict(view), indent=1, ensure_ascii=False))
        return 0
    console = Console(highlight=False)
    console.print(f"[bold]{view.name}[/bold] {view.split}, from {view.source}; splits: {', '.join(view.splits)}")
    console.print(
        f"metrics: {', '.join(view.metrics) or 'loss'}; new draw each epoch: {'yes' if view.random else 'no'}"
    )
    console.print(f"vocabulary: {view.vocabulary.path or view.vocabulary.kind}, {view.vocabulary.size} ids")
    table = Table(
        "length", "min", "mean", "median", "95 %", "max", "limit", "truncated", title=f"{view.examined} examples"
    )
    for name, lengths in (("inputs", view.inputs), ("targets", view.targets)):
        figures = (lengths.min, f"{lengths.mean:.1f}", lengths.p50, lengths.p95, lengths.max, lengths.limit)
        table.add_row(name, *map(str, figures), f"{lengths.truncated:.1%}")
    console.print(table)
    for number, example in enumerate(view.examples):
        console.rule(f"example {number}")
        for name, feature in (("inputs", example.inputs), ("targets", example.targets)):
            cut = ", cut" if feature.truncated else ""
            console.print(f"[bold]{name}[/bold] ({feature.length} tokens{cut})")
            console.print(Text(feature.text if feature.text is not None else feature.decoded))
            console.print(Text(" ".join(feature.pieces), style="dim"))
            console.print(Text(" ".join(map(str, feature.ids)), style="dim"))
        for field, value in example.fields.items():
            console.print(Text(f"{field}: {value}", style="dim"))
    return 0
