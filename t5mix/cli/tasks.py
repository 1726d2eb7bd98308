"""`t5mix tasks`."""

import argparse
import dataclasses
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from t5mix.console import units
from t5mix.console.stage import stage
from t5mix.console.tables import TextTable, print_table, together

if TYPE_CHECKING:
    from t5mix.cache.inspection import TaskView
    from t5mix.cache.listing import Listing


def run(options: argparse.Namespace) -> int:
    """Lists the tasks, or shows what the model will see of one."""
    return _list(options) if options.show is None else _show(options)


def _list(options: argparse.Namespace) -> int:
    tasks = registered(options.plugins).tasks
    if options.json:
        print(json.dumps([dataclasses.asdict(task) for task in tasks], indent=1))
        return 0
    lists = ("splits (examples)", "metrics", "mixtures")
    table = TextTable("task", *lists, wrapped=lists)
    for task in tasks:
        splits = (
            f"{split} ({units.count(task.sizes[split])})" if split in task.sizes else split for split in task.splits
        )
        table.add_row(task.name, *(", ".join(map(together, names)) for names in (splits, task.metrics, task.mixtures)))
    print_table("", table)
    return 0


def registered(plugins: Sequence[str]) -> "Listing":
    """Returns the registered tasks and mixtures: as they are known from the last time, or loading TensorFlow."""
    from t5mix.cache.listing import keep_listing, kept_listing, may_be_out_of_date

    clean = not may_be_out_of_date()
    if clean and (kept := kept_listing(plugins)) is not None:
        return kept
    with stage("Loading TensorFlow and the tasks"):
        from t5mix.cache.registry_listing import list_registered

        listing = list_registered(plugins)
    if clean:
        keep_listing(listing, plugins)
    return listing


def _show(options: argparse.Namespace) -> int:
    with stage("Loading JAX"):
        from t5mix.cache.request_checks import check_request
        from t5mix.cli.composing import experiment_of

        experiment = experiment_of(options, [f"mixture={json.dumps([options.show])}", "run_dir=unused"])
        request = experiment.data_request()
        check_request(request)
    with stage("Loading TensorFlow and the tasks" if request.needs_tensorflow else "Reading the task"):
        from t5mix.cache.inspection import inspect_task

        view = inspect_task(request, options.show, options.split, count=options.examples)
    if options.json:
        print(json.dumps(dataclasses.asdict(view), indent=1, ensure_ascii=False))
        return 0
    _print_view(view)
    return 0


def _print_view(view: "TaskView") -> None:
    console = _Output(highlight=False, markup=False)  # names may hold brackets
    _line(console, (view.name, "bold"), f" {view.split}, from {view.source}; splits: {', '.join(view.splits)}")
    metrics, draw = ", ".join(view.metrics) or "loss", "yes" if view.random else "no"
    _line(console, f"metrics: {metrics}; new draw each epoch: {draw}")
    _line(console, f"vocabulary: {view.vocabulary.path or view.vocabulary.kind}, {view.vocabulary.size} ids")
    table = TextTable("length (tokens)", "min", "mean", "median", "95 %", "max", "limit", "cut (%)")
    for name, lengths in (("inputs", view.inputs), ("targets", view.targets)):
        middle = (f"{value:,.1f}" for value in (lengths.mean, lengths.p50, lengths.p95))
        whole = (units.count(lengths.max), units.count(lengths.limit))
        table.add_row(name, units.count(lengths.min), *middle, *whole, f"{100 * lengths.truncated:.1f}")
    size = f"; the split has {view.size:,}" if view.size is not None and view.size > view.examined else ""
    print_table(f"the first {view.examined:,} examples{size}", table)
    for number, example in enumerate(view.examples):
        console.rule(f"example {number}")
        for name, feature in (("inputs", example.inputs), ("targets", example.targets)):
            _line(console, (name, "bold"), f" ({feature.length} tokens{', cut' if feature.truncated else ''})")
            _line(console, feature.text if feature.text is not None else feature.decoded)
            _line(console, (" ".join(feature.pieces), "dim"))
            _line(console, (" ".join(map(str, feature.ids)), "dim"))
        for field, value in example.fields.items():
            _line(console, (f"{field}: {value}", "dim"))


class _Output(Console):
    """A console that leaves it to the command what becomes of output that nobody reads."""

    def on_broken_pipe(self) -> None:
        """Raises the error that is being handled, in place of ending the program with 1."""
        raise


def _line(console: Console, *parts: str | tuple[str, str]) -> None:
    """Prints one line, parts with a style where one is given; the terminal breaks it, and a pipe gets it whole."""
    console.print(Text.assemble(*parts), soft_wrap=True)
