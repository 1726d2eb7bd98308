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
    from t5mix.runs.deltas import Contents


def run(options: argparse.Namespace) -> int:
    """Shows what checkpoints hold, merges one, or takes a task's part out of a bank."""
    from t5mix.runs.deltas import extract_task, look, merge_delta
    from t5mix.runs.model import base_path

    if options.verb == "show":
        _show([look(Path(path)) for path in options.runs], as_json=options.json)
        return 0
    run, out, base = Path(options.run), Path(options.out), base_path(options.base)
    if options.verb == "merge":
        print(merge_delta(run, out, base=base, task=options.task))
    else:
        print(extract_task(run, out, options.task, base=base))
    return 0


def _show(contents: Sequence["Contents"], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([dataclasses.asdict(each) for each in contents], indent=1, default=str))
        return
    table = Table("checkpoint", "policy", "holds", "of", "base")
    for each in contents:
        base = f"{each.base.identity[:12]}  {each.base.path}" if each.base else f"none; it is {str(each.identity)[:12]}"
        table.add_row(str(each.path), each.policy["kind"], f"{each.own:,}", f"{each.total:,}", base)
    Console().print(table)
