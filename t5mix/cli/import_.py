"""`t5mix import`."""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

from t5mix.console import units
from t5mix.console.stage import stage
from t5mix.console.tables import TextTable, print_table

if TYPE_CHECKING:
    from t5mix.runs.importing import ImportPlan


def run(options: argparse.Namespace) -> int:
    """Imports a checkpoint, or shows what it holds."""
    with stage("Loading JAX"):
        from t5mix.cache.vocabulary import vocabulary_entry
        from t5mix.runs.importing import import_checkpoint, plan_import

    source, out = Path(options.source).expanduser(), Path(options.out).expanduser()
    vocabulary = vocabulary_entry(options.vocabulary, options.extra_ids) if options.vocabulary else None
    if options.dry_run:
        with stage("Reading the checkpoint"):
            plan = plan_import(source, out, vocabulary)
        _show(plan, as_json=options.json)
        return 0
    with stage("Importing the checkpoint"):
        written = import_checkpoint(source, out, vocabulary)
    print(written)
    return 0


def _show(plan: "ImportPlan", *, as_json: bool) -> None:
    model, vocabulary = dataclasses.asdict(plan.foreign.config), dataclasses.asdict(plan.vocabulary)
    if as_json:
        content = {
            "format": plan.foreign.format,
            "parameters": plan.parameters,
            "model": model,
            "vocabulary": vocabulary,
        }
        print(json.dumps(content, indent=1))
        return
    table = TextTable("setting", "value", text=("value",))
    table.add_row("format", plan.foreign.format)
    table.add_row("parameters", f"{units.count(plan.parameters)}, {units.data_size(4 * plan.parameters)}")
    table.add_row("vocabulary", vocabulary["path"] or vocabulary["kind"])
    table.add_row("extra_ids", str(vocabulary["extra_ids"]))
    for name, value in model.items():
        table.add_row(f"model.{name}", str(value))
    print_table("", table)
