"""`t5mix delta`."""

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from t5mix.console import units
from t5mix.console.stage import stage
from t5mix.console.tables import TextTable, print_table

if TYPE_CHECKING:
    from t5mix.runs.deltas import CheckpointContents


def run(options: argparse.Namespace) -> int:
    """Shows what checkpoints hold, merges one, or extracts a task from a bank."""
    with stage("Loading JAX"):
        from t5mix.runs.deltas import extract_task, inspect_checkpoint, merge_delta
        from t5mix.runs.load import base_path

    if options.verb == "show":
        with stage("Reading the checkpoints"):
            contents = [inspect_checkpoint(Path(path)) for path in options.runs]
        _show(contents, as_json=options.json)
        return 0
    run, out, base = Path(options.run), Path(options.out), base_path(options.base)
    with stage("Writing the checkpoint"):
        if options.verb == "merge":
            written = merge_delta(run, out, base=base, task=options.task)
        else:
            written = extract_task(run, out, options.task, base=base)
    print(written)
    return 0


def _show(contents: Sequence["CheckpointContents"], *, as_json: bool) -> None:
    if as_json:
        plain = [{**dataclasses.asdict(item), "base": item.base and item.base.to_json()} for item in contents]
        print(json.dumps(plain, indent=1, default=str))
        return
    headings = ("checkpoint", "policy", "own parameters", "all parameters", "base", "identity of the base")
    table = TextTable(*headings, text=("policy", "base", "identity of the base"))
    for item in contents:
        base, identity = (str(item.base.path), item.base.identity) if item.base else ("itself", str(item.identity))
        counts = units.count(item.saved), units.count(item.total)
        table.add_row(str(item.path), item.policy["kind"], *counts, base, identity[:12])
    print_table("", table)
