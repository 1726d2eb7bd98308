"""`t5mix delta`."""

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from t5mix.runs.deltas import CheckpointContents


def run(options: argparse.Namespace) -> int:
    """Shows what checkpoints hold, merges one, or extracts a task from a bank."""
    from t5mix.runs.deltas import extract_task, inspect_checkpoint, merge_delta
    from t5mix.runs.load import base_path

    if options.verb == "show":
        _show([inspect_checkpoint(Path(path)) for path in options.runs], as_json=options.json)
        return 0
    run, out, base = Path(options.run), Path(options.out), base_path(options.base)
    if options.verb == "merge":
        print(merge_delta(run, out, base=base, task=options.task))
    else:
        print(extract_task(run, out, options.task, base=base))
    return 0


def _show(contents: Sequence["CheckpointContents"], *, as_json: bool) -> None:
    if as_json:
        plain = [{**dataclasses.asdict(each), "base": each.base and each.base.to_json()} for each in contents]
        print(json.dumps(plain, indent=1, default=str))
        return
    table = Table()
    for name in ("checkpoint", "policy", "holds", "of", "base"):
        table.add_column(name, overflow="fold", justify="right" if name in ("holds", "of") else "left")
    for each in contents:
        base = f"{each.base.identity[:12]}  {each.base.path}" if each.base else f"none; it is {str(each.identity)[:12]}"
        table.add_row(str(each.path), each.policy["kind"], f"{each.saved:,}", f"{each.total:,}", base)
    Console().print(table)
