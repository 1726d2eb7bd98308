"""`t5mix curves`."""

import argparse
import dataclasses
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from t5mix.console.tables import new_table, print_table
from t5mix.errors import T5MixError

if TYPE_CHECKING:
    from t5mix.tracking.history import TaskProgress


def run(options: argparse.Namespace) -> int:
    """Shows and draws how runs went."""
    from t5mix.plots.curves import curves_figure
    from t5mix.plots.style import check_output, save
    from t5mix.tracking.history import read_history, summarise

    folders = [Path(name) for name in options.runs]
    out = Path(options.out) if options.out else (folders[0] if len(folders) == 1 else Path()) / "curves.png"
    twice = [str(folder) for folder in folders if folders.count(folder) > 1]
    if twice:
        raise T5MixError(f"{twice[0]} is given twice. Give each run once.")
    histories = {str(folder): read_history(folder) for folder in folders}
    check_output(out, "--out")
    summaries = {
        name: {task: summarise(lines) for task, lines in history.tasks.items()} for name, history in histories.items()
    }
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
    several = len(runs) > 1
    title = ", ".join(f"{run} after {step:,} steps" for run, step in steps.items())
    headings = ("examples", "expected", "tokens", "epochs", "loss", "validation")
    table = new_table("task", *(["run"] if several else []), *headings, text=["run"])
    for task in dict.fromkeys(task for tasks in runs.values() for task in tasks):
        rows = [(run, tasks[task]) for run, tasks in runs.items() if task in tasks]
        for index, (run, summary) in enumerate(rows):
            cells = (
                _formatted(summary.examples, ",.0f"),
                _formatted(summary.expected, ",.1f"),
                _formatted(summary.tokens, ",.0f"),
                _formatted(summary.epochs, ".2f"),
                _formatted(summary.loss, ".4f"),
                _formatted(summary.validation, ".4f"),
            )
            table.add_row("" if index else task, *([run] if several else []), *cells)
        if several:
            table.add_section()
    print_table(title, table)


def _formatted(value: float | None, spec: str) -> str:
    return "" if value is None else format(value, spec)
