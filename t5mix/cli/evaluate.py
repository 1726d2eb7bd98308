"""`t5mix eval`."""

import argparse
import json
from pathlib import Path

from t5mix.console.tables import new_table, print_table
from t5mix.tracking.run_directory import check_exists


def run(options: argparse.Namespace) -> int:
    """Evaluates a run and shows the scores."""
    check_exists(Path(options.run))
    from t5mix.runs.evaluate import evaluate_run
    from t5mix.runs.load import base_path

    evaluations = evaluate_run(
        Path(options.run),
        which=options.checkpoint,
        split=options.split,
        tasks=options.tasks,
        base=base_path(options.base),
    )
    scores = {task: evaluation.metrics for task, evaluation in evaluations.items()}
    if options.json:
        print(json.dumps(scores, indent=1))
        return 0
    table = new_table("task", "metric", "score", text=["metric"])
    for task, metrics in scores.items():
        for position, (metric, value) in enumerate(metrics.items()):
            table.add_row("" if position else task, metric, f"{value:.4g}")
        table.add_section()
    print_table(f"{options.run}, {options.split}", table)
    return 0
