"""`t5mix tasks check`."""

import argparse
import dataclasses
import json
import sys
from typing import TYPE_CHECKING, Any

from t5mix.console import units
from t5mix.console.stage import stage
from t5mix.console.tables import TextTable, print_table
from t5mix.errors import T5MixError

if TYPE_CHECKING:
    from t5mix.cache.run_task import RunTask, SplitSpec


_NOTHING = "There is nothing to score: it has no targets, or metrics that are not t5mix's own."


def run(options: argparse.Namespace) -> int:
    """Reads all of some tasks' rows, and scores a perfect model; returns 1 if something is wrong."""
    names = [word for word in options.check if "=" not in word and word[0] not in "+~"]
    options.overrides = [word for word in options.check if word not in names]
    if not names:
        raise T5MixError("Name at least one task to check: t5mix tasks check TASK --config FILE.")
    with stage("Loading JAX"):
        from t5mix.cli.composing import experiment_of

        experiment = experiment_of(options, [f"mixture={json.dumps(names)}", "run_dir=unused"])
        request = experiment.data_request()
    with stage("Loading TensorFlow and the tasks" if request.needs_tensorflow else "Reading the tasks"):
        from t5mix.cache.run_task import SplitSpec
        from t5mix.cache.run_tasks import load_tasks

        specs = [
            SplitSpec(task, split, request.inputs_length, request.targets_length)
            for task in load_tasks(request).tasks
            for split in _splits(task, options.split)
        ]
        checked = [_check(spec) for spec in specs]
    if options.json:
        print(json.dumps(checked, indent=1, ensure_ascii=False))
    else:
        _print(checked)
    return 1 if any(entry["problems"] for entry in checked) else 0


def _splits(task: "RunTask", split: str | None) -> list[str]:
    if split is None:
        return list(task.splits)
    task.check_split(split)
    return [split]


def _check(spec: "SplitSpec") -> dict[str, Any]:
    """Returns what is known of a split, as the command's JSON has it."""
    found: dict[str, Any] = {"task": spec.task.name, "split": spec.split, "examples": None, "metrics": {}}
    found |= {"problems": [], "warnings": [], "mismatched": [], "unwritable": []}
    try:
        spec.task.check_files([spec.split])
        perfect = spec.task.perfect_score(spec)
    except T5MixError as error:
        return found | {"problems": str(error).splitlines()}
    if perfect is None:
        return found | {"warnings": [_NOTHING]}
    return found | {
        "examples": perfect.examples,
        "metrics": dict(perfect.values),
        "problems": perfect.problems(),
        "warnings": perfect.warnings(),
        "mismatched": [dataclasses.asdict(target) for target in perfect.mismatched],
        "unwritable": [dataclasses.asdict(target) for target in perfect.unwritable],
    }


def _print(checked: list[dict[str, Any]]) -> None:
    table = TextTable("task", "split", "examples", "metric", "perfect model", text=["split", "metric"])
    for entry in checked:
        size = "" if entry["examples"] is None else units.count(entry["examples"])
        values = [(metric, f"{value:,.2f}") for metric, value in entry["metrics"].items()] or [("", "")]
        for row, (metric, value) in enumerate(values):
            table.add_row(*(("", "", "") if row else (entry["task"], entry["split"], size)), metric, value)
    print_table("", table)
    for entry in checked:
        where = f"{entry['task']}, {entry['split']}"
        for sentence in entry["problems"]:
            print(f"{where}: {sentence}", file=sys.stderr)
        for sentence in entry["warnings"]:
            print(f"{where} (warning): {sentence}", file=sys.stderr)
