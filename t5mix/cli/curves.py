"""`t5mix curves`."""

import argparse
import dataclasses
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from t5mix.console import units
from t5mix.console.stage import stage
from t5mix.console.tables import TextTable, print_table
from t5mix.errors import T5MixError

if TYPE_CHECKING:
    from t5mix.tracking.history import TaskProgress


def run(options: argparse.Namespace) -> int:
    """Shows and draws how runs went."""
    with stage("Loading matplotlib"):
        from t5mix.plots.curves import curves_figure
        from t5mix.plots.style import check_output, free_path, save
        from t5mix.tracking.history import read_history, summarise

    folders = [Path(name) for name in options.runs]
    if options.out:
        out = Path(options.out)
    else:
        out = folders[0] / "curves.png" if len(folders) == 1 else free_path(Path("curves.png"))
    twice = [str(folder) for folder in folders if folders.count(folder) > 1]
    if twice:
        raise T5MixError(f"{twice[0]} is given twice. Give each run once.")
    histories = {str(folder): read_history(folder) for folder in folders}
    check_output(out, "--out")
    summaries = {
        name: {task: summarise(lines) for task, lines in history.tasks.items()} for name, history in histories.items()
    }
    with stage("Drawing"):
        save(curves_figure(histories), out)
    print(f"Drawn: {out}", file=sys.stderr)
    if options.json:
        runs = [
            {
                "run": name,
                "step": int(histories[name].steps[-1]),
                "tasks": {task: dataclasses.asdict(summary) for task, summary in tasks.items()},
            }
            for name, tasks in summaries.items()
        ]
        print(json.dumps({"runs": runs}, indent=1))
        return 0
    _show(summaries, {name: int(history.steps[-1]) for name, history in histories.items()})
    return 0


def _show(runs: Mapping[str, Mapping[str, "TaskProgress"]], steps: Mapping[str, int]) -> None:
    """Shows the tasks of all runs; one task's rows stand together."""
    several = ["run"] if len(runs) > 1 else []
    headings = ("examples", "expected examples", "tokens", "epochs", "loss (nats)", "validation loss (nats)")
    table = TextTable("task", *several, *headings, text=several)
    for task in dict.fromkeys(task for tasks in runs.values() for task in tasks):
        for run, tasks in runs.items():
            if task not in tasks:
                continue
            summary = tasks[task]
            cells = (
                units.count(summary.examples),
                _formatted(summary.expected, ",.1f"),
                units.count(summary.tokens),
                _formatted(summary.epochs, ",.2f"),
                _formatted(summary.loss, ".4f"),
                _formatted(summary.validation, ".4f"),
            )
            table.add_row(task, *([run] if several else []), *cells)
    print_table(", ".join(f"{run} after {step:,} steps" for run, step in steps.items()), table)


def _formatted(value: float | None, spec: str) -> str:
    return units.UNKNOWN if value is None else format(value, spec)
